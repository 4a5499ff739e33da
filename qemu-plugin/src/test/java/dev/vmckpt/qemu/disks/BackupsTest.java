// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.spi.DiskKeeper.Kept;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Disks of each kind are kept as they were, while they are written on and on. */
@Timeout(300)
class BackupsTest {
  private static final int KIB = 1 << 10;
  private static final int MIB = 1 << 20;

  @TempDir Path folder = Path.of("/nonexistent");

  private Path sparse(String name, long length, Random random) throws IOException {
    return RealQemu.sparse(folder.resolve(name), length, random);
  }

  private static Random random() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    return new Random(seed);
  }

  /** Keeps files, with writes at all times; each must come out as it was when it began. */
  private void keep(RealQemu qemu, List<Path> open, List<String> drives, long length, Random random)
      throws IOException {
    List<Kept> kept = new ArrayList<>();
    List<Path> copies = new ArrayList<>();
    try (Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
      write(qemu, drives, length, random);
      for (Path each : open) {
        assertThat(backups.keeps(RealQemu.stat(each))).as("%s", each).isTrue();
        Path to = folder.resolve("kept-" + kept.size());
        copies.add(to);
        kept.add(backups.keep(RealQemu.stat(each), to));
      }
      write(qemu, drives, length, random);
      List<Path> then = new ArrayList<>();
      for (Path each : open) {
        Path copy = folder.resolve("then-" + then.size());
        Files.copy(each, copy);
        then.add(copy);
      }
      backups.begin();
      write(qemu, drives, length, random);
      backups.release();
      write(qemu, drives, length, random);
      kept.forEach(Kept::await);
      write(qemu, drives, length, random);
      for (int i = 0; i < then.size(); i++) {
        assertThat(Files.mismatch(copies.get(i), then.get(i))).as("%s", open.get(i)).isEqualTo(-1);
        assertThat(Files.mismatch(copies.get(i), open.get(i)))
            .as("%s", open.get(i))
            .isNotEqualTo(-1);
      }
    }
    assertThat(qemu.leftInside()).isEmpty();
    assertThat(folder).isDirectoryNotContaining("glob:**.map");
  }

  private static void write(RealQemu qemu, List<String> drives, long length, Random random) {
    for (String drive : drives) {
      for (int i = 0; i < 20; i++) {
        long at = random.nextLong(length / 512 - 128) * 512;
        int bytes = 512 * (1 + random.nextInt(127));
        String command = "write -P " + (1 + random.nextInt(255)) + " " + at + " " + bytes;
        assertThat(qemu.io(drive, command)).as("%s", command).isEmpty();
      }
    }
  }

  @Test
  void rawDisks() throws IOException {
    Random random = random();
    Path even = sparse("even.raw", 32 * MIB, random);
    // Neither a multiple of a sector nor of what is copied at a time.
    Path odd = sparse("odd.raw", 9 * MIB + 12345, random);
    try (RealQemu qemu =
        RealQemu.start(
            folder,
            "-drive",
            "if=none,id=a,format=raw,file=even.raw,auto-read-only=off",
            "-drive",
            "if=none,id=b,format=raw,auto-read-only=off,file=" + odd)) {
      keep(qemu, List.of(even, odd), List.of("a", "b"), 9 * MIB, random);
      assertThat(folder.resolve("kept-1")).hasSize(9 * MIB + 12345);
    }
  }

  @Test
  void holesStayHoles() throws IOException {
    Random random = random();
    Path disk = sparse("disk.raw", 1L << 33, random);
    try (RealQemu qemu =
            RealQemu.start(
                folder, "-drive", "if=none,id=a,format=raw,auto-read-only=off,file=" + disk);
        Backups backups =
            new Backups(
                qemu.qmp(), qemu.pid(), new Ranges(1L << 33, 0, 1L << 32, (1L << 33) - MIB))) {
      Kept kept = backups.keep(RealQemu.stat(disk), folder.resolve("kept"));
      backups.begin();
      // A hole that the guest fills meanwhile is one in the copy.
      assertThat(qemu.io("a", "write -P 1 1G 1M")).isEmpty();
      kept.await();
      long blocks =
          Long.parseLong(RealQemu.run("stat", "-c", "%b", "" + folder.resolve("kept")).strip());
      assertThat(blocks * 512).isLessThan(8 * MIB);
      assertThat(folder.resolve("kept")).hasSize(1L << 33);
    }
  }

  @Test
  void overlaysThatGrow() throws IOException {
    Random random = random();
    Path base = sparse("base.raw", 16 * MIB, random);
    Path top = folder.resolve("top.qcow2");
    RealQemu.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "" + base, "" + top);
    try (RealQemu qemu =
        RealQemu.start(
            folder, "-drive", "if=none,id=a,format=qcow2,auto-read-only=off,file=" + top)) {
      keep(qemu, List.of(top), List.of("a"), 16 * MIB, random);
    }
    // Its header names the base by its path, so that the copy is a whole disk. What QEMU had not
    // written out of its caches by then is for the process that is restored to write.
    RealQemu.run("qemu-img", "info", "" + folder.resolve("kept-0"));
  }

  @Test
  void temporaryOverlaysWithoutAName() throws IOException {
    Random random = random();
    Path base = sparse("base.raw", 16 * MIB, random);
    try (RealQemu qemu =
        RealQemu.start(folder, "-snapshot", "-drive", "if=none,id=a,format=raw,file=" + base)) {
      Path overlay = deleted(qemu.pid());
      keep(qemu, List.of(overlay), List.of("a"), 16 * MIB, random);
    }
  }

  private static Path deleted(int pid) throws IOException {
    try (var all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        String link = Files.readSymbolicLink(each).toString();
        if (link.startsWith("/") && link.endsWith(" (deleted)") && !link.startsWith("/memfd")) {
          return each;
        }
      }
    }
    throw new AssertionError("nothing deleted is open");
  }

  @Test
  void flashMemory() throws IOException {
    Random random = random();
    Path code = sparse("code.fd", 2 * MIB, random);
    Path variables = sparse("vars.fd", 512 * KIB, random);
    try (RealQemu qemu =
        RealQemu.start(
            folder,
            "-drive",
            "if=pflash,unit=0,format=raw,readonly=on,file=" + code,
            "-drive",
            "if=pflash,unit=1,format=raw,file=" + variables)) {
      keep(qemu, List.of(variables), List.of("pflash1"), 512 * KIB, random);
    }
  }

  @Test
  void emptyFiles() throws IOException {
    Path none = Files.createFile(folder.resolve("none.raw"));
    Path disk = sparse("disk.raw", MIB, random());
    try (RealQemu qemu =
            RealQemu.start(
                folder,
                "-drive",
                "if=none,id=a,format=raw,file=" + none,
                "-drive",
                "if=none,id=b,format=raw,file=" + disk);
        Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
      Kept empty = backups.keep(RealQemu.stat(none), folder.resolve("empty"));
      Kept full = backups.keep(RealQemu.stat(disk), folder.resolve("full"));
      backups.begin();
      empty.await();
      full.await();
      assertThat(folder.resolve("empty")).isEmptyFile();
      assertThat(Files.mismatch(folder.resolve("full"), disk)).isEqualTo(-1);
    }
  }

  @Test
  void aBackupThatIsGivenUpLeavesNothing() throws IOException {
    Path disk = sparse("disk.raw", 32 * MIB, random());
    try (RealQemu qemu =
        RealQemu.start(
            folder, "-drive", "if=none,id=a,format=raw,auto-read-only=off,file=" + disk)) {
      try (Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
        backups.keep(RealQemu.stat(disk), folder.resolve("kept"));
        backups.begin();
        assertThat(qemu.leftInside()).isNotEmpty();
      }
      assertThat(qemu.leftInside()).isEmpty();
      assertThat(qemu.io("a", "write -P 1 0 1M")).isEmpty();
    }
  }

  @Test
  void aQemuThatEndsIsAFailure() throws IOException {
    Path disk = sparse("disk.raw", 32 * MIB, random());
    try (RealQemu qemu = RealQemu.start(folder, "-drive", "if=none,id=a,format=raw,file=" + disk);
        Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
      Kept kept = backups.keep(RealQemu.stat(disk), folder.resolve("kept"));
      backups.begin();
      qemu.kill();
      assertThatThrownBy(kept::await)
          .isInstanceOf(FailureException.class)
          .hasMessageContaining(disk.toString());
    }
  }

  @Test
  void filesThatOthersWriteToAreNotKept() throws IOException {
    Path disk = sparse("disk.raw", 32 * MIB, random());
    Path other = sparse("other.raw", MIB, random());
    try (RealQemu qemu =
        RealQemu.start(
            folder,
            "-drive",
            "if=none,id=a,format=raw,file=" + disk,
            "-blockdev",
            "null-co,node-name=null,size=" + 32 * MIB)) {
      assertThat(keeps(qemu, disk)).isTrue();
      assertThat(keeps(qemu, other)).as("a file that QEMU does not have").isFalse();
      qemu.qmp()
          .execute(
              "blockdev-backup",
              args ->
                  args.put("job-id", "somebody")
                      .put("device", "a")
                      .put("target", "null")
                      .put("sync", "full")
                      .put("speed", 1));
      assertThat(keeps(qemu, disk)).as("a disk of somebody's job").isFalse();
    }
  }

  private static boolean keeps(RealQemu qemu, Path disk) {
    try (Backups backups = new Backups(qemu.qmp(), qemu.pid(), new ZeroFinder())) {
      return backups.keeps(RealQemu.stat(disk));
    }
  }
}
