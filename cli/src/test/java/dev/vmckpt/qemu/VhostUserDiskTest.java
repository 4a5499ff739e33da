// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.kit.Commands;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest that writes files to a disk that qemu-storage-daemon serves, and reads them again: all
 * its life long each must be what it wrote.
 */
class VhostUserDiskTest {
  /** What the guest says whenever it has written files. */
  static final Pattern WORK = Pattern.compile("files \\d");

  private static final Pattern CONNECTION = Pattern.compile("(fd:\\d+) backend of a disk");
  private static final long DISK_BYTES = 64 << 20;

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);
  private GuestConsole console = new GuestConsole(folder);

  @BeforeEach
  void here() {
    vmckpt = new Vmckpt(folder);
    console = new GuestConsole(folder.resolve("serial"));
  }

  @Test
  void isServedByAnotherBackend() throws Exception {
    Path disk = disk(folder);
    Path then = folder.resolve("then");
    Path socket = folder.resolve("backend");
    Path elsewhere = folder.resolve("elsewhere");
    try (Peer first = Peer.servingDisk(folder, disk, socket);
        Machine machine = boot(vmckpt, folder, socket)) {
      awaitFiles(1);
      assertThat(vmckpt.ok("snapshot", "" + machine.pid(), "--name", "running").err())
          .contains("is not in the snapshot");
      awaitFiles(2);
      say(machine, "stop");
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "base");
      Files.copy(disk, then, StandardCopyOption.COPY_ATTRIBUTES);
      say(machine, "cont");
      awaitFiles(3);
      machine.kill();
      Commands.execute("kill", "-KILL", "" + first.pid());
      first.awaitEnd();

      String connection = refusals(elsewhere);
      try (Peer second = Peer.servingDisk(folder, then, elsewhere)) {
        machine.restore("base", "--reattach", connection + "=" + elsewhere);
        say(machine, "cont");
        awaitFiles(3);
        // Once more, for good: a stopped guest leaves its disk as it is.
        say(machine, "stop");
        machine.saveAndKill("again");
        machine.restore("again");
        say(machine, "cont");
        awaitFiles(3);
        assertThat(second.alive()).isTrue();
      }
    }
  }

  /** Says a word to the monitor, and leaves it to others again. */
  private static void say(Machine machine, String word) {
    try (Qmp monitor = machine.monitor()) {
      monitor.execute(word);
    }
  }

  /** Who may not take the place of a backend; returns its descriptor. */
  private String refusals(Path elsewhere) throws Exception {
    Run nobody = vmckpt.fails(3, "restore", "base");
    assertThat(nobody.err()).contains("no backend listens there", "qemu-storage-daemon");
    Matcher matcher = CONNECTION.matcher(nobody.err());
    assertThat(matcher.find()).isTrue();
    String there = matcher.group(1) + "=" + elsewhere;
    Path small = folder.resolve("small");
    size(small, DISK_BYTES / 2);
    try (Peer other = Peer.servingDisk(folder, small, elsewhere)) {
      assertThat(vmckpt.fails(3, "restore", "base", "--reattach", there).err())
          .contains("another size or kind");
      assertThat(other.alive()).isTrue();
    }
    Files.deleteIfExists(elsewhere);
    try (Peer stranger = new Peer(folder, "socat", "UNIX-LISTEN:" + elsewhere, "PIPE")) {
      stranger.awaitSocket(elsewhere);
      assertThat(vmckpt.fails(3, "restore", "base", "--reattach", there).err())
          .contains("does not answer as a vhost-user backend does");
    }
    Files.deleteIfExists(elsewhere);
    return matcher.group(1);
  }

  /** Makes a disk with an empty file system. */
  static Path disk(Path folder) throws Exception {
    Path disk = folder.resolve("disk");
    size(disk, DISK_BYTES);
    Commands.execute("mkfs.ext4", "-q", "-F", disk.toString());
    return disk;
  }

  private static void size(Path file, long bytes) throws IOException {
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(bytes);
    }
  }

  /** A machine that writes to the disk of a backend. */
  static Machine boot(Vmckpt vmckpt, Path folder, Path socket) {
    List<String> options = new ArrayList<>(Machine.linux(folder.resolve("serial"), "vmckpt.fs=1"));
    options.addAll(
        List.of(
            "-netdev",
            "user,id=n",
            "-object",
            "memory-backend-memfd,id=mem,size=96M,share=on",
            "-machine",
            "memory-backend=mem",
            "-chardev",
            "socket,id=backend,path=" + socket,
            "-device",
            "vhost-user-blk-pci,chardev=backend"));
    return Machine.boot(vmckpt, folder, options.toArray(new String[0]));
  }

  /** Waits until the guest has written so many times twenty files more, without an error. */
  private void awaitFiles(int times) {
    console.awaitMore(WORK, times);
  }
}
