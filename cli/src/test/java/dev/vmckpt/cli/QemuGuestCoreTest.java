// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * A real guest of QEMU with KVM, stopped by its monitor: the core that a snapshot of its process
 * gives is, byte for byte, what QEMU itself writes of its memory and its processors.
 */
class QemuGuestCoreTest extends InProcess {
  private static final int PT_LOAD = 1;
  private static final int PT_NOTE = 4;
  private static final int CHUNK = 1 << 20;
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @Test
  void theCoreOfASnapshotIsWhatQemuDumpsItself() throws Exception {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    Path ours = temporary.resolve("ours.core");
    Path theirs = temporary.resolve("theirs.core");
    Path monitor = temporary.resolve("monitor");
    int qemu = start(monitor);
    try {
      // SeaBIOS is somewhere in the midst of its work then; where does not matter.
      Thread.sleep(2500);
      try (Qmp qmp = Qmp.connect(monitor, PATIENCE)) {
        qmp.execute("stop");
      }
      assertThat(run("snapshot", Integer.toString(qemu), "--name", "vm")).as(err).isZero();
      assertThat(run("export", "vm", "--core", ours.toString())).as(err).isZero();
      try (Qmp qmp = Qmp.connect(monitor, PATIENCE)) {
        assertThat(qmp.execute("query-status").path("status").asText()).isEqualTo("paused");
        qmp.execute(
            "dump-guest-memory",
            args -> args.put("paging", false).put("protocol", "file:" + theirs));
      }
    } finally {
      Detached.kill(qemu);
    }

    List<byte[]> processors = notes(theirs);
    assertThat(processors).hasSize(2);
    List<byte[]> recorded = notes(ours);
    assertThat(recorded).hasSize(2);
    for (int i = 0; i < 2; i++) {
      assertThat(recorded.get(i)).as("processor " + i).isEqualTo(processors.get(i));
    }
    long compared = 0;
    try (FileChannel a = FileChannel.open(ours);
        FileChannel b = FileChannel.open(theirs)) {
      for (long[] load : headers(theirs, PT_LOAD)) {
        for (long done = 0; done < load[3]; done += CHUNK) {
          int length = (int) Math.min(CHUNK, load[3] - done);
          ByteBuffer expected = read(b, load[0] + done, length);
          ByteBuffer found = read(a, place(ours, load[2] + done, length), length);
          assertThat(found.mismatch(expected))
              .as("from guest-physical " + Long.toHexString(load[2] + done) + " on")
              .isEqualTo(-1);
          compared += length;
        }
      }
    }
    assertThat(compared).isGreaterThan(64L << 20);
  }

  private int start(Path monitor) {
    return Detached.start(
        temporary.resolve("words"),
        List.of(
            "qemu-system-x86_64",
            "-accel",
            "kvm",
            "-cpu",
            "host,-arch-capabilities",
            "-m",
            "65",
            "-smp",
            "2",
            "-nodefaults",
            "-display",
            "none",
            "-qmp",
            "unix:" + monitor + ",server=on,wait=off"));
  }

  /** Where a range of guest-physical memory lies in a core. */
  private static long place(Path core, long gpa, int length) throws IOException {
    for (long[] load : headers(core, PT_LOAD)) {
      if (load[2] <= gpa && gpa + length <= load[2] + load[3]) {
        return load[0] + (gpa - load[2]);
      }
    }
    throw new AssertionError("the core has no memory at " + Long.toHexString(gpa));
  }

  /** The program headers of a type: offset, virtual and physical address, length. */
  private static List<long[]> headers(Path core, int type) throws IOException {
    List<long[]> headers = new ArrayList<>();
    try (FileChannel channel = FileChannel.open(core)) {
      ByteBuffer elf = read(channel, 0, 64);
      int count = elf.getShort(56) & 0xffff;
      for (int i = 0; i < count; i++) {
        ByteBuffer header = read(channel, elf.getLong(32) + 56L * i, 56);
        if (header.getInt(0) == type) {
          headers.add(
              new long[] {
                header.getLong(8), header.getLong(16), header.getLong(24), header.getLong(32)
              });
        }
      }
    }
    return headers;
  }

  /** What the notes named QEMU hold. */
  private static List<byte[]> notes(Path core) throws IOException {
    long[] header = headers(core, PT_NOTE).get(0);
    byte[] bytes = new byte[(int) header[3]];
    try (RandomAccessFile file = new RandomAccessFile(core.toFile(), "r")) {
      file.seek(header[0]);
      file.readFully(bytes);
    }
    ByteBuffer notes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> found = new ArrayList<>();
    for (int at = 0; at + 12 <= bytes.length; ) {
      int name = (notes.getInt(at) + 3) & ~3;
      int content = notes.getInt(at + 4);
      if (new String(bytes, at + 12, 4, StandardCharsets.US_ASCII).equals("QEMU")) {
        found.add(Arrays.copyOfRange(bytes, at + 12 + name, at + 12 + name + content));
      }
      at += 12 + name + ((content + 3) & ~3);
    }
    return found;
  }

  private static ByteBuffer read(FileChannel channel, long at, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    int got = 0;
    while (buffer.hasRemaining() && got >= 0) {
      got = channel.read(buffer, at + buffer.position());
    }
    return buffer.flip();
  }
}
