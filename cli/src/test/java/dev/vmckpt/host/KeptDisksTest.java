// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** Disks that somebody outside keeps while the target runs. */
@Isolated
class KeptDisksTest {
  private static final int O_RDWR = 2;

  private interface Body {
    void run(Path folder, AdapterKit kit, Outsider outsider) throws IOException;
  }

  private static void with(Body body) throws IOException {
    try (TestFileSystem home = TestFileSystem.of(TestFileSystem.Type.TMPFS);
        AdapterKit kit = new AdapterKit(new FilesAdapter(), home.folder())) {
      assumeFalse(
          kit.cloner.canReflink(Files.createFile(home.folder().resolve("probe")), home.folder()),
          "what shares blocks asks nobody");
      Outsider outsider = new Outsider();
      kit.keepers.add(outsider);
      body.run(home.folder(), kit, outsider);
    }
  }

  /** Keeps what it is asked to, with a content of its own. */
  private static final class Outsider implements DiskKeeper {
    final List<Path> asked = new ArrayList<>();
    boolean knows = true;
    boolean can = true;
    boolean succeeds = true;

    @Override
    public boolean keeps(FileStat file) {
      return knows;
    }

    @Override
    public Kept keep(FileStat file, Path to) {
      if (!can) {
        throw new FailureException("the outsider has a headache");
      }
      asked.add(to);
      return () -> {
        if (!succeeds) {
          throw new FailureException("the outsider fell asleep");
        }
        try {
          Files.writeString(to, "kept outside");
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      };
    }
  }

  @Test
  void areNotCopiedInThePause() throws IOException {
    with(
        (folder, kit, outsider) -> {
          int fd = kit.open(Files.writeString(folder.resolve("disk"), "as it was"), O_RDWR);
          Recorded recorded = kit.take(fd);
          assertThat(recorded.copiedInPauseBytes()).isZero();
          assertThat(outsider.asked).containsExactly(kit.snapshot().resolve("disks/0-disk"));
          assertThat(kit.announced)
              .singleElement()
              .asString()
              .contains("disk", "will be copied by the target itself, while it runs");
          assertThat(kit.diskBytes).isPositive();
          assertThat(kit.read(kit.reattach(recorded), 100)).isEqualTo("kept outside");
        });
  }

  @Test
  void areCopiedInThePauseIfNobodyKnowsThem() throws IOException {
    with(
        (folder, kit, outsider) -> {
          outsider.knows = false;
          int fd = kit.open(Files.writeString(folder.resolve("disk"), "as it was"), O_RDWR);
          Recorded recorded = kit.take(fd);
          assertThat(recorded.copiedInPauseBytes()).isPositive();
          assertThat(kit.read(kit.reattach(recorded), 100)).isEqualTo("as it was");
        });
  }

  @Test
  void areCopiedInThePauseIfTheirKeeperCannot() throws IOException {
    with(
        (folder, kit, outsider) -> {
          outsider.can = false;
          int fd = kit.open(Files.writeString(folder.resolve("disk"), "as it was"), O_RDWR);
          Recorded recorded = kit.take(fd);
          assertThat(recorded.copiedInPauseBytes()).isPositive();
          assertThat(kit.announced)
              .singleElement()
              .asString()
              .contains(
                  "inside the pause", "tmpfs cannot share blocks; the outsider has a headache");
        });
  }

  @Test
  void failTheSnapshotIfTheyAreLostOnTheWay() throws IOException {
    with(
        (folder, kit, outsider) -> {
          outsider.succeeds = false;
          int fd = kit.open(Files.writeString(folder.resolve("disk"), "as it was"), O_RDWR);
          assertThatThrownBy(() -> kit.record(fd))
              .isInstanceOf(FailureException.class)
              .hasMessageContaining("fell asleep");
        });
  }
}
