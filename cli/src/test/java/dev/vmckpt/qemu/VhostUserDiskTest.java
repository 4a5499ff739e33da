// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest that writes files to a disk that qemu-storage-daemon serves, and reads them again: all
 * its life long each must be what it wrote.
 */
class VhostUserDiskTest {
  private static final Pattern CONNECTION = Pattern.compile("(fd:\\d+) backend of a disk");
  private static final long DISK_BYTES = 64 << 20;

  @TempDir Path folder = Path.of("/nonexistent");
  private Vmckpt vmckpt = new Vmckpt(folder);

  @BeforeEach
  void here() {
    vmckpt = new Vmckpt(folder);
  }

  @Test
  void isServedByAnotherBackend() throws Exception {
    Path disk = folder.resolve("disk");
    Path then = folder.resolve("then");
    Path socket = folder.resolve("backend");
    Path elsewhere = folder.resolve("elsewhere");
    size(disk, DISK_BYTES);
    Peer.run("mkfs.ext4", "-q", "-F", disk.toString());
    try (Peer first = backend(disk, socket);
        Machine machine = boot(socket)) {
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
      Peer.run("kill", "-KILL", "" + first.pid());
      first.awaitEnd();

      String connection = refusals(elsewhere);
      try (Peer second = backend(then, elsewhere)) {
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

  @Test
  @Tag("long")
  void isNotHarmedByASnapshotThatDies() throws Exception {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime() & 0xffffff);
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Path disk = folder.resolve("disk");
    Path socket = folder.resolve("backend");
    size(disk, DISK_BYTES);
    Peer.run("mkfs.ext4", "-q", "-F", disk.toString());
    try (Peer backend = backend(disk, socket);
        Machine machine = boot(socket)) {
      awaitFiles(1);
      for (int i = 0; i < 20; i++) {
        vmckpt.killedAfter(1500 + random.nextInt(2000), "snapshot", "" + machine.pid());
        Health.awaitUntouched(machine.pid());
        awaitFiles(1);
      }
      assertThat(backend.alive()).isTrue();
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "after");
      awaitFiles(1);
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
    try (Peer other = backend(small, elsewhere)) {
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

  private static void size(Path file, long bytes) throws IOException {
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(bytes);
    }
  }

  private Peer backend(Path disk, Path socket) throws IOException {
    return Peer.servingDisk(folder, disk, socket);
  }

  private Machine boot(Path socket) {
    List<String> options = new ArrayList<>(Machine.linux(serial(), "vmckpt.fs=1"));
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

  private Path serial() {
    return folder.resolve("serial");
  }

  /** Waits until the guest has written so many times twenty files more, without an error. */
  private void awaitFiles(int times) {
    int before = count();
    Health.await("files of the guest", () -> count() >= before + times);
  }

  private int count() {
    try {
      String said =
          Files.exists(serial()) ? Files.readString(serial(), StandardCharsets.ISO_8859_1) : "";
      assertThat(said).doesNotContain("error:", "I/O error");
      return said.split("files \\d", -1).length - 1;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
