// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.json.RecordJson;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.io.TempDir;

/** Commands that are run in this process, with a store of their own, and what the last one said. */
abstract class InProcess {
  @TempDir Path temporary = Path.of("/nonexistent");
  final Map<String, String> environment = new HashMap<>();
  boolean terminal;
  String out = "";
  String err = "";

  /** Runs one; what it ended with. */
  int run(String... args) {
    ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
    ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
    environment.putIfAbsent("VMCKPT_STORE", temporary.resolve("store").toString());
    Session session =
        new Session(
            new PrintStream(outBytes, true, StandardCharsets.UTF_8),
            new PrintStream(errBytes, true, StandardCharsets.UTF_8),
            environment,
            terminal,
            terminal);
    int code = Main.run(args, session);
    out = outBytes.toString(StandardCharsets.UTF_8);
    err = errBytes.toString(StandardCharsets.UTF_8);
    return code;
  }

  /** Standard output as the one JSON object it must be. */
  Map<?, ?> object() {
    byte[] bytes = out.getBytes(StandardCharsets.UTF_8);
    Object value = RecordJson.read(bytes, 0, bytes.length, JsonTree.class, "output").value();
    return (Map<?, ?>) Objects.requireNonNull(value);
  }
}
