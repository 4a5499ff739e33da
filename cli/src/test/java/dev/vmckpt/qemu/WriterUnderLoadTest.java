// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.host.TestFileSystem;
import dev.vmckpt.images.Images;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.kit.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A Linux guest that writes files as fast as it can, to an ext4 file system on a qcow2 disk with a
 * backing file, saved again and again meanwhile. Every snapshot comes back to a file system without
 * an error, with every file as it was written.
 */
class WriterUnderLoadTest {
  private static final long ROOM = 24L << 30;
  private static final String KERNEL =
      "console=ttyS0 quiet loglevel=3 vmckpt.mem=16 vmckpt.verify=5 vmckpt.dirty=2 vmckpt.disk=0"
          + " vmckpt.fs=1";

  @ParameterizedTest
  @EnumSource(names = {"EXT4", "XFS", "BTRFS"})
  @Tag("long")
  void everySecondForAMinute(TestFileSystem.Type type) throws Exception {
    check(type, ROOM, Integer.getInteger("vmckpt.snapshots", 60));
  }

  @Test
  void twice() throws Exception {
    check(TestFileSystem.Type.TMP, 0, 2);
  }

  private static void check(TestFileSystem.Type type, long bytes, int snapshots) throws Exception {
    try (TestFileSystem home = TestFileSystem.of(type, bytes)) {
      Path folder = home.folder();
      Vmckpt vmckpt = new Vmckpt(folder);
      Path serial = folder.resolve("serial");
      Beats beats = Beats.linux(serial);
      try (Machine guest = Machine.boot(vmckpt, folder, options(folder, serial))) {
        new LogFile(serial).await(guest.pid(), "files 40");
        long begun = System.nanoTime();
        List<String> names = new ArrayList<>();
        for (int i = 0; i < snapshots; i++) {
          long next = begun + i * 1_000_000_000L;
          Thread.sleep(Math.max(0, (next - System.nanoTime()) / 1_000_000));
          vmckpt.ok("snapshot", "" + guest.pid(), "--name", "s" + i);
          names.add("s" + i);
        }
        System.out.printf(
            "%s: %d snapshots in %d s%n",
            type, snapshots, (System.nanoTime() - begun) / 1_000_000_000);
        beats.awaitMore(guest.pid(), 10);
        guest.kill();
        int files = 0;
        for (String name : names) {
          long mark = beats.mark();
          guest.restore(name);
          beats.await(guest.pid(), mark, 10);
          assertThat(new LogFile(serial).linesFrom(mark, "error")).as(name).isEmpty();
          Path disk = disk(guest.pid());
          guest.kill();
          files += whole(folder, disk, name);
          vmckpt.ok("rm", name);
        }
        System.out.printf("%s: %d files were whole%n", type, files);
      }
    }
  }

  private static String[] options(Path folder, Path serial) throws Exception {
    Path base = folder.resolve("base.raw");
    Path disk = folder.resolve("disk.qcow2");
    Commands.execute("truncate", "-s", "256M", "" + base);
    Commands.execute("mkfs.ext4", "-q", "-F", "" + base);
    Commands.execute(
        "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "" + base, "" + disk);
    return new String[] {
      "-m",
      "96",
      "-kernel",
      Images.vmlinuz().toString(),
      "-initrd",
      Images.initramfs().toString(),
      "-append",
      KERNEL,
      "-serial",
      "file:" + serial,
      "-drive",
      "if=virtio,format=qcow2,file=" + disk
    };
  }

  /** The working copy that a restored guest writes to. */
  private static Path disk(int pid) throws IOException {
    try (var all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        Path file = Files.readSymbolicLink(each);
        if (file.toString().contains("/work/") && file.toString().endsWith("disk.qcow2")) {
          return file;
        }
      }
    }
    throw new AssertionError("no working copy is open in " + pid);
  }

  /** Checks a file system whose machine was switched off; how many files there are. */
  private static int whole(Path folder, Path disk, String name) throws Exception {
    Path raw = folder.resolve("check.raw");
    Path mount = Files.createDirectories(folder.resolve("check"));
    // Its lock is let go when the kernel is done with the killed process, which may be a moment
    // later.
    Commands.execute("qemu-img", "convert", "-U", "-O", "raw", "" + disk, "" + raw);
    // What its journal holds is no error: the guest had mounted it.
    Commands.execute("sh", "-c", "e2fsck -p \"$0\" >&2 || [ $? = 1 ]", "" + raw);
    Commands.execute("e2fsck", "-fn", "" + raw);
    Commands.execute("mount", "-o", "loop,ro", "" + raw, "" + mount);
    try (var all = Files.newDirectoryStream(mount, "*.*")) {
      int files = 0;
      for (Path file : all) {
        String sum = Commands.execute("sha256sum", "" + file).substring(0, 64);
        assertThat(file.toString()).as(name).endsWith("." + sum);
        files++;
      }
      assertThat(files).as(name).isPositive();
      return files;
    } finally {
      Commands.execute("umount", "" + mount);
      Files.delete(raw);
    }
  }
}
