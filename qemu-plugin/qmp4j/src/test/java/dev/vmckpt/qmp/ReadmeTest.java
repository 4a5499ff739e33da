// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the README shows is compiled, and does what it says. */
@Timeout(120)
class ReadmeTest {
  @TempDir Path folder;

  @Test
  void theExampleIsTheOneThatIsCompiled() throws IOException {
    String readme = Files.readString(Path.of("README.md"));
    int from = readme.indexOf("```java\n") + "```java\n".length();
    String shown = readme.substring(from, readme.indexOf("```\n", from));
    String compiled =
        Files.readString(Path.of("src/test/java/dev/vmckpt/qmp/Example.java"))
            .replaceAll("(?m)^    ", "");
    assertThat(compiled).contains(shown);
    assertThat(shown).startsWith("try (Qmp qmp");
  }

  @Test
  void theExampleDoesWhatItSays() {
    Path socket = folder.resolve("qmp");
    ByteArrayOutputStream words = new ByteArrayOutputStream();
    PrintStream before = System.out;
    try (RealServer server = RealServer.at(socket)) {
      System.setOut(new PrintStream(words, true, StandardCharsets.UTF_8));
      Example.main(new String[] {socket.toString()});
      assertThat(server.isAlive()).isTrue();
    } finally {
      System.setOut(before);
    }
    assertThat(words.toString(StandardCharsets.UTF_8).lines())
        .satisfiesExactly(
            line -> assertThat(line).startsWith("QEMU "),
            line -> assertThat(line).isEqualTo("prelaunch"),
            line -> assertThat(line).startsWith("runs since 20"),
            line -> assertThat(line).startsWith("DEVICE_NOT_FOUND: ").contains("net7"));
  }
}
