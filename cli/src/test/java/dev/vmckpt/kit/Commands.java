// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Programs that a test runs and waits for. */
public final class Commands {
  private static final int SECONDS = 60;

  private Commands() {}

  /** Runs a command that must succeed within a minute; all that it says. */
  public static String execute(String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectInput(new File("/dev/null"))
            .start();
    try {
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).as("%s: %s", List.of(command), output).isZero();
      return output;
    } finally {
      process.destroyForcibly();
    }
  }
}
