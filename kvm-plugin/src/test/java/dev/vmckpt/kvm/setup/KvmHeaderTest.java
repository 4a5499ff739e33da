// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The numbers of the ioctls against this system's linux/kvm.h. */
class KvmHeaderTest {
  /** Younger than the headers of the oldest system we build on (Linux 6.8). */
  private static final Set<String> YOUNG = Set.of("KVM_SET_USER_MEMORY_REGION2");

  @TempDir Path folder;

  @Test
  void numbersAreThoseOfTheHeader() throws IOException, InterruptedException {
    StringBuilder source =
        new StringBuilder("#include <stdio.h>\n#include <linux/kvm.h>\nint main(void) {\n");
    for (KvmCall call : KvmCall.values()) {
      String name = call.kernelName();
      source.append("#ifdef ").append(name).append("\n");
      source.append("printf(\"").append(name).append(" %u\\n\", (unsigned)").append(name);
      source.append(");\n#endif\n");
    }
    source.append("return 0; }\n");
    Path program = folder.resolve("numbers");
    Path code = Files.writeString(folder.resolve("numbers.c"), source);
    Path output = folder.resolve("out");
    run(output, "gcc", "-o", program.toString(), code.toString());
    run(output, program.toString());
    String numbers = Files.readString(output);
    for (KvmCall call : KvmCall.values()) {
      boolean there = numbers.contains(call.kernelName() + " ");
      assertThat(there || YOUNG.contains(call.kernelName())).as(call.kernelName()).isTrue();
      if (there) {
        assertThat(numbers).contains(call.kernelName() + " " + call.request() + "\n");
      }
    }
  }

  private static void run(Path output, String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertThat(process.waitFor()).as(Files.readString(output)).isZero();
  }
}
