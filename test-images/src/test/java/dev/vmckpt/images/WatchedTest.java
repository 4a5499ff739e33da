// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WatchedTest {
  private final Path file;

  WatchedTest(@TempDir Path folder) {
    file = folder.resolve("log");
  }

  private List<String> errors(String line) throws IOException {
    Files.writeString(file, line + "\n");
    return new Said(new LogFile(file)).errors();
  }

  /** What somebody wrote who is not there any more. */
  private static final class Said extends Watched {
    Said(LogFile log) {
      super(0, log, "tick");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tick 27 mem-errors 0 disk-errors 0 clock-jumps 0",
        "tick 27 mem-errors 0 disk-errors 0 clock-jumps 0tick 24 mem-errors 0 clock-jumps 0",
        "tick 27 mem-errors 0 disk-errorstick 24 mem-errors 0 disk-errors 0 clock-jumps 0",
        "tick 27 mem-errors 0 disk-errors 00 clock-jumps 0",
        "tick 27 mem-errors 0rors 0 clock-jumps 0",
        "something else, errors 5"
      })
  void aSeamOfTwoWritersIsNoError(String line) throws IOException {
    assertThat(errors(line)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tick 27 mem-errors 1 disk-errors 0 clock-jumps 0",
        "tick 27 mem-errors 0 disk-errors 10 clock-jumps 0",
        "tick 27 mem-errors 0 disk-errors 0 clock-jumps 0tick 24 mem-errors 0 clock-jumps 2",
        "tick 27 mem-errors 3tick 24 mem-errors 0 disk-errors 0 clock-jumps 0",
        "tick 27 mem-errors -1 disk-errors 0 clock-jumps 0",
        "tick 27 mem-errors none disk-errors 0 clock-jumps 0",
        "error: memory",
        "failed: disk",
        "pattern BAD"
      })
  void whatWasCountedIsTold(String line) throws IOException {
    assertThat(errors(line)).containsExactly(line);
  }
}
