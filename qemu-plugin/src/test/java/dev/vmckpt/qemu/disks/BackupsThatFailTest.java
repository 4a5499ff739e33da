// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.qemu.marks.PartName;
import dev.vmckpt.spi.DiskKeeper.Kept;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whatever goes wrong, the guest's writes do not notice, and nothing is left in its QEMU. */
@Timeout(300)
class BackupsThatFailTest {
  private static final int MIB = 1 << 20;

  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeAll
  static void checkRoot() {
    assumeTrue(
        System.getProperty("user.name").equals("root"),
        "only root may mount a small file system and start a QEMU as somebody else");
  }

  private Path disk(String name) throws IOException {
    Path path = folder.resolve(name);
    byte[] all = new byte[32 * MIB];
    new Random(1).nextBytes(all);
    return Files.write(path, all);
  }

  private Path overlay() throws IOException {
    Path top = folder.resolve("top.qcow2");
    RealQemu.run("qemu-img", "create", "-q", "-f", "qcow2", "" + top, "32M");
    RealQemu.run("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 16M", "" + top);
    return top;
  }

  private static String[] drive(String format, Path file, String... more) {
    String[] options = new String[2 + more.length];
    options[0] = "-drive";
    options[1] = "if=none,id=a,auto-read-only=off,format=" + format + ",file=" + file;
    System.arraycopy(more, 0, options, 2, more.length);
    return options;
  }

  /** What is done in a folder on a file system of 4 MiB. */
  private interface InLittleRoom {
    void run(Path small) throws IOException;
  }

  private void inLittleRoom(InLittleRoom body) throws IOException {
    Path small = Files.createDirectory(folder.resolve("small"));
    RealQemu.run("mount", "-t", "tmpfs", "-o", "size=4m", "none", "" + small);
    try {
      body.run(small);
    } finally {
      RealQemu.run("umount", "-l", "" + small);
    }
  }

  @Test
  void aFullTargetFailsTheCopyAndNoWrite() throws IOException {
    Path disk = disk("disk.raw");
    inLittleRoom(
        small -> {
          try (RealQemu qemu = RealQemu.start(folder, drive("raw", disk));
              Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
            Kept kept = backups.keep(RealQemu.stat(disk), small.resolve("kept"));
            backups.begin();
            for (int i = 0; i < 32; i++) {
              assertThat(qemu.io("a", "write -P 9 " + i + "M 1M")).isEmpty();
            }
            assertThatThrownBy(kept::await)
                .isInstanceOf(FailureException.class)
                .hasMessageContaining(disk.toString())
                .hasMessageContaining("No space left on device");
            assertThat(qemu.io("a", "write -P 9 0 32M")).isEmpty();
            assertThat(qemu.leftInside()).isEmpty();
          }
        });
  }

  @Test
  void aTargetThatFillsUpByTheBackupItselfIsTold() throws IOException {
    Path disk = disk("disk.raw");
    inLittleRoom(
        small -> {
          try (RealQemu qemu = RealQemu.start(folder, drive("raw", disk));
              Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
            Kept kept = backups.keep(RealQemu.stat(disk), small.resolve("kept"));
            backups.begin();
            backups.release();
            assertThatThrownBy(kept::await).hasMessageContaining("No space left on device");
            assertThat(qemu.leftInside()).isEmpty();
          }
        });
  }

  @Test
  void noRoomForAGrowingFileIsToldBeforeThePause() throws IOException {
    Path disk = overlay();
    inLittleRoom(
        small -> {
          try (RealQemu qemu = RealQemu.start(folder, drive("qcow2", disk));
              Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
            assertThatThrownBy(() -> backups.keep(RealQemu.stat(disk), small.resolve("kept")))
                .isInstanceOf(FailureException.class)
                .hasMessageContaining("No space left on device");
            assertThat(backups.isEmpty()).isTrue();
            assertThat(small.resolve("kept")).doesNotExist();
            assertThat(qemu.leftInside()).isEmpty();
          }
        });
  }

  @Test
  void aQemuThatMayNotWriteThereIsToldBeforeThePause() throws IOException {
    Path disk = disk("disk.raw");
    try (RealQemu qemu = RealQemu.start(folder, drive("raw", disk, "-runas", "nobody"));
        Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
      Path to = Files.createDirectory(folder.resolve("disks")).resolve("kept");
      assertThatThrownBy(() -> backups.keep(RealQemu.stat(disk), to))
          .isInstanceOf(FailureException.class)
          .hasMessageContaining("QEMU cannot write to " + to)
          .hasMessageContaining("Permission denied");
      assertThat(to).doesNotExist();
    }
  }

  /** The pid is ours, and it began earlier: that one is dead. */
  private static PartName dead(int number) {
    PartName own = PartName.own(number);
    return new PartName(own.pid(), own.start() - 1, number);
  }

  @Test
  void whatADeadOneLeftIsUndone() throws IOException {
    Path raw = disk("disk.raw");
    Path top = overlay();
    String[] drives =
        drive("raw", raw, "-drive", "if=none,id=b,auto-read-only=off,format=qcow2,file=" + top);
    try (RealQemu qemu = RealQemu.start(folder, drives)) {
      // Never closed, as if it had died.
      Backups abandoned =
          new Backups(
              qemu.qmp(), qemu.pid(), new ZeroFinder(), undo -> {}, BackupsThatFailTest::dead);
      abandoned.keep(RealQemu.stat(raw), folder.resolve("kept-raw"));
      abandoned.begin();
      abandoned.keep(RealQemu.stat(top), folder.resolve("kept-top"));
      assertThat(qemu.leftInside()).isNotEmpty();
      assertThat(Leftovers.undo(qemu.qmp()))
          .anyMatch(each -> each.startsWith("job vmckpt-"))
          .anyMatch(each -> each.startsWith("node vmckpt-"))
          .anyMatch(each -> each.startsWith("bitmap vmckpt-"));
      assertThat(qemu.leftInside()).isEmpty();
      assertThat(Leftovers.undo(qemu.qmp())).isEmpty();
      assertThat(qemu.io("a", "write -P 9 0 1M")).isEmpty();
      assertThat(qemu.io("b", "write -P 9 0 1M")).isEmpty();
    }
  }

  @Test
  void whatALivingOneDoesIsLeftAlone() throws IOException {
    Path disk = disk("disk.raw");
    try (RealQemu qemu = RealQemu.start(folder, drive("raw", disk));
        Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
      Kept kept = backups.keep(RealQemu.stat(disk), folder.resolve("kept"));
      backups.begin();
      assertThat(Leftovers.undo(qemu.qmp())).isEmpty();
      kept.await();
      assertThat(Files.mismatch(disk, folder.resolve("kept"))).isEqualTo(-1);
    }
  }
}
