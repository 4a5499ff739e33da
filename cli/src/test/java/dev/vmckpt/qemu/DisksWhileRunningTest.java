// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.images.Images;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qemu.disks.Backups;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.DiskKeeper.Kept;
import dev.vmckpt.spi.FileStat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * A Linux guest that writes checksummed blocks all the time: its disk is kept as it was at an
 * instant, and goes with the memory of that instant.
 */
@Timeout(600)
@Execution(ExecutionMode.CONCURRENT)
class DisksWhileRunningTest {
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void rawDisk() throws Exception {
    Path disk = folder.resolve("disk.raw");
    Files.copy(Images.linuxDisk(), disk, StandardCopyOption.REPLACE_EXISTING);
    check(disk, "raw", "file=" + disk + ",format=raw");
  }

  @Test
  void overlayOnABase() throws Exception {
    Path base = folder.resolve("base.raw");
    Path disk = folder.resolve("disk.qcow2");
    Files.copy(Images.linuxDisk(), base, StandardCopyOption.REPLACE_EXISTING);
    Commands.execute(
        "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "" + base, "" + disk);
    check(disk, "qcow2", "file=" + disk + ",format=qcow2");
  }

  @Test
  void temporaryOverlay() throws Exception {
    Path disk = folder.resolve("disk.raw");
    Files.copy(Images.linuxDisk(), disk, StandardCopyOption.REPLACE_EXISTING);
    check(null, "qcow2", "snapshot=on,file=" + disk + ",format=raw");
  }

  private void check(@Nullable Path named, String format, String drive) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Qemu guest = Qemu.linuxOn(drive, folder, 256)) {
      guest.awaitMore(5);
      Path disk = named == null ? deleted(guest.pid()) : named;
      for (int round = 0; round < 3; round++) {
        whileItWrites(guest, disk, format, round);
      }
      withItsMemory(vmckpt, guest);
    }
  }

  /** Stop, begin, go on: the copy is what a copy made by hand meanwhile would have been. */
  private void whileItWrites(Qemu guest, Path disk, String format, int round) throws Exception {
    Path then = folder.resolve("then-" + round);
    Path to = folder.resolve("kept-" + round);
    try (Qmp qmp = Qmp.connect(folder.resolve("qmp"), PATIENCE);
        Backups backups = new Backups(qmp, guest.pid(), new LinuxFileCloner())) {
      assertThat(backups.keeps(stat(disk))).isTrue();
      Kept kept = backups.keep(stat(disk), to);
      guest.awaitMore(2);
      qmp.execute("stop");
      Files.copy(disk, then);
      backups.begin();
      qmp.execute("cont");
      guest.awaitMore(2);
      backups.release();
      guest.awaitMore(2);
      kept.await();
    }
    assertThat(Files.mismatch(to, then)).isEqualTo(-1);
    assertThat(Files.mismatch(to, disk)).as("it has written").isNotEqualTo(-1);
    if (format.equals("qcow2")) {
      Commands.execute("qemu-img", "check", "-q", "-f", "qcow2", "" + to);
    }
  }

  /** A snapshot of the running guest. Restored, it finds every block as it wrote it. */
  private static void withItsMemory(Vmckpt vmckpt, Qemu guest) throws Exception {
    Run run = vmckpt.ok("snapshot", "" + guest.pid(), "--name", "running");
    assertThat(run.err()).contains("will be copied by the target itself, while it runs");
    guest.awaitMore(5);
    guest.kill();
    long mark = guest.beats().mark();
    guest.is(vmckpt.ok("restore", "running", "--json").number("pid"));
    guest.beats().await(guest.pid(), mark, 30);
    Health.awaitUntouched(guest.pid());
  }

  private static Path deleted(int pid) throws IOException {
    try (var all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        if (Files.readSymbolicLink(each).toString().matches("/.*/vl\\..* \\(deleted\\)")) {
          return each;
        }
      }
    }
    throw new AssertionError("no temporary overlay is open");
  }

  /** What the engine would say of a file. */
  private static FileStat stat(Path path) throws IOException {
    Map<String, Object> stat = Files.readAttributes(path, "unix:dev,ino,mode,size,nlink");
    long device = (Long) stat.getOrDefault("dev", 0L);
    long major = ((device >>> 8) & 0xfff) | ((device >>> 32) & 0xfffff000L);
    long minor = (device & 0xff) | ((device >>> 12) & 0xffffff00L);
    return new FileStat(
        major << 32 | minor,
        (Long) stat.getOrDefault("ino", 0L),
        (Integer) stat.getOrDefault("mode", 0),
        0,
        (Long) stat.getOrDefault("size", 0L),
        (Integer) stat.getOrDefault("nlink", 0),
        0);
  }
}
