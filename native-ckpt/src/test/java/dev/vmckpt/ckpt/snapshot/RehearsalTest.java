// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RehearsalTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void whatKilledOnesLeftIsRemovedAndNothingElse() throws IOException {
    Path old = Files.createDirectory(folder.resolve("vmckpt-rehearsal1"));
    Path round = Files.createDirectory(old.resolve("round0"));
    Path precious = Files.createFile(folder.resolve("precious"));
    Files.createSymbolicLink(round.resolve("link"), precious);
    Path young = Files.createDirectory(folder.resolve("vmckpt-rehearsal2"));
    Path file = Files.createFile(folder.resolve("vmckpt-rehearsal3"));
    Path other = Files.createDirectory(folder.resolve("other"));
    FileTime yesterday = FileTime.from(Instant.now().minus(Duration.ofDays(1)));
    for (Path each : new Path[] {old, file, other}) {
      Files.setLastModifiedTime(each, yesterday);
    }
    Rehearsal.removeOld(folder);
    assertThat(old).doesNotExist();
    assertThat(young).exists();
    assertThat(file).exists();
    assertThat(other).exists();
    assertThat(precious).exists();
  }
}
