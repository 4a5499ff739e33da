// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What runs in a guest, and on what: the Linux guest under emulation, or the self-check guest under
 * KVM (a KVM that runs no ordinary Linux is enough for it).
 *
 * @param kvm whether it is the self-check guest under KVM
 * @param memoryMib of the machine
 * @param filledMib of data in it; the self-check guest fills and checks all there is
 * @param format of the disk, {@code qcow2} or {@code raw}
 * @param diskMib what it has room for; a raw one is full of data
 */
record Load(boolean kvm, int memoryMib, int filledMib, String format, int diskMib) {
  private static final int PIECE = 1 << 20;

  /** Where the self-check image keeps how much memory it checks (0: all) and sectors a pass. */
  private static final long CONFIG = 0x1b0;

  static Load linux(int memoryMib, int filledMib) {
    return new Load(false, memoryMib, filledMib, "qcow2", 64);
  }

  /** The same guest, writing to a disk of that size, all of it data. */
  static Load rawDisk(int diskMib) {
    return new Load(false, 512, 256, "raw", diskMib);
  }

  static Load kvm(int memoryMib) {
    return new Load(true, memoryMib, memoryMib, "qcow2", 0);
  }

  /** Says what this machine lacks, before a guest is waited for in vain. */
  void requireAccelerator() {
    if (kvm && !Files.isWritable(Path.of("/dev/kvm"))) {
      throw new IllegalStateException("there is no /dev/kvm here that may be used");
    }
  }

  /** Its options of QEMU, without disk, monitor and serial port. */
  List<String> options(Path images) {
    List<String> options = new ArrayList<>();
    if (kvm) {
      options.addAll(List.of("-accel", "kvm", "-cpu", "host,-arch-capabilities", "-smp", "1"));
    } else {
      options.addAll(List.of("-accel", "tcg", "-smp", "2"));
      options.addAll(List.of("-kernel", images.resolve("vmlinuz").toString()));
      options.addAll(List.of("-initrd", images.resolve("initramfs.gz").toString(), "-append"));
      options.add(
          "console=ttyS0 quiet loglevel=3 vmckpt.verify=100 vmckpt.dirty=16 vmckpt.mem="
              + filledMib
              + " vmckpt.tick="
              + Guest.TICK);
    }
    options.addAll(List.of("-m", Integer.toString(memoryMib), "-nodefaults", "-display", "none"));
    return options;
  }

  /** How its disk is connected. */
  String drive(Path disk) {
    return (kvm ? "if=ide" : "if=virtio") + ",format=" + format + ",file=" + disk;
  }

  /** Makes its disk. */
  void makeDisk(Path images, Path disk) {
    if (format.equals("raw")) {
      fill(disk);
      return;
    }
    if (!kvm) {
      Processes.output(
          "qemu-img", "create", "-q", "-f", format, disk.toString(), diskMib + "M");
      return;
    }
    Path raw = Path.of(disk + ".raw");
    ByteBuffer numbers = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    numbers.putInt(0).putInt(1).flip();
    try {
      Files.copy(images.resolve("selfcheck.img"), raw);
      try (FileChannel channel = FileChannel.open(raw, StandardOpenOption.WRITE)) {
        channel.write(numbers, CONFIG);
      }
      Processes.output(
          "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw.toString(), disk.toString());
      Files.delete(raw);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void fill(Path disk) {
    byte[] piece = new byte[PIECE];
    Arrays.fill(piece, (byte) 0x5a);
    ByteBuffer bytes = ByteBuffer.wrap(piece);
    try (FileChannel channel =
        FileChannel.open(disk, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (int i = 0; i < diskMib; i++) {
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        bytes.rewind();
      }
      channel.force(true);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
