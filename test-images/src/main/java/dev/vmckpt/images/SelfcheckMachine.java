// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A QEMU/KVM machine for the self-check guest, with a disk of its own.
 *
 * @param cpus 1 or 2; the guest leaves more alone
 * @param memoryMib of the machine, from 96
 * @param testedMib of memory that the guest checks; 0 for all but the first 16 MiB and the last 2
 *     MiB below 4 GiB
 * @param disk how the disk is connected that the guest boots from, writes and verifies
 * @param diskSectors how many sectors it writes in a pass; 0 for none
 * @param restTicks how many ticks of 10 ms its first cpu rests after each one that it works; 0 for
 *     none
 * @param memfd whether the machine's memory is a memory file, shared
 * @param more options of QEMU
 */
public record SelfcheckMachine(
    int cpus,
    int memoryMib,
    int testedMib,
    Disk disk,
    int diskSectors,
    int restTicks,
    boolean memfd,
    List<String> more) {
  /** Where the three numbers lie in the boot sector; see selfcheck.asm. */
  private static final int CONFIG = 0x1b0;

  /** How the disk is connected. */
  public enum Disk {
    IDE,
    VIRTIO
  }

  /** One cpu, 256 MiB, 64 of them checked, an IDE disk. */
  public static SelfcheckMachine kvm() {
    return new SelfcheckMachine(1, 256, 64, Disk.IDE, 1, 0, false, List.of());
  }

  /** With so many cpus. */
  public SelfcheckMachine withCpus(int number) {
    return new SelfcheckMachine(
        number, memoryMib, testedMib, disk, diskSectors, restTicks, memfd, more);
  }

  /** With so much memory, all of it checked. */
  public SelfcheckMachine withMemory(int mib) {
    return new SelfcheckMachine(cpus, mib, 0, disk, diskSectors, restTicks, memfd, more);
  }

  /** With so much of its memory checked. */
  public SelfcheckMachine checking(int mib) {
    return new SelfcheckMachine(cpus, memoryMib, mib, disk, diskSectors, restTicks, memfd, more);
  }

  /** With another disk. */
  public SelfcheckMachine withDisk(Disk other) {
    return new SelfcheckMachine(
        cpus, memoryMib, testedMib, other, diskSectors, restTicks, memfd, more);
  }

  /** With so many sectors written in each pass: each is some 150 port I/Os of an IDE disk. */
  public SelfcheckMachine writing(int sectors) {
    return new SelfcheckMachine(cpus, memoryMib, testedMib, disk, sectors, restTicks, memfd, more);
  }

  /** With a first cpu that rests so many ticks after each one that it works. */
  public SelfcheckMachine resting(int ticks) {
    return new SelfcheckMachine(cpus, memoryMib, testedMib, disk, diskSectors, ticks, memfd, more);
  }

  /** With a shared memory file for memory. */
  public SelfcheckMachine inMemfd() {
    return new SelfcheckMachine(
        cpus, memoryMib, testedMib, disk, diskSectors, restTicks, true, more);
  }

  /** With more options of QEMU. */
  public SelfcheckMachine with(String... options) {
    List<String> all = new ArrayList<>(more);
    all.addAll(List.of(options));
    return new SelfcheckMachine(
        cpus, memoryMib, testedMib, disk, diskSectors, restTicks, memfd, all);
  }

  /** Where the disk of a machine lies that was started with a folder. */
  public static Path diskIn(Path folder) {
    return folder.resolve("selfcheck.img");
  }

  /**
   * Starts it; the guest's first line comes some seconds later, its first pass when all memory it
   * checks is filled.
   *
   * @param folder where the disk and the serial line go
   */
  public Guest start(Path folder) {
    List<String> options = new ArrayList<>();
    if (!more.contains("-accel")) {
      options.addAll(List.of("-accel", "kvm"));
    }
    if (!more.contains("-cpu")) {
      options.addAll(List.of("-cpu", "host,-arch-capabilities"));
    }
    options.addAll(List.of("-smp", Integer.toString(cpus), "-m", Integer.toString(memoryMib)));
    if (memfd) {
      options.addAll(
          List.of(
              "-object",
              "memory-backend-memfd,id=ram,size=" + memoryMib + "M,share=on",
              "-machine",
              "pc,memory-backend=ram"));
    }
    String interfaceName = disk == Disk.IDE ? "ide" : "virtio";
    options.addAll(
        List.of("-drive", "file=" + makeDisk(folder) + ",format=raw,if=" + interfaceName));
    options.addAll(more);
    return Guest.start(folder, "pass", options);
  }

  /** Makes the disk that it boots from, without starting it. */
  public Path makeDisk(Path folder) {
    Path made = diskIn(folder);
    ByteBuffer numbers = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    numbers.putInt(testedMib).putInt(diskSectors).putInt(restTicks).flip();
    try {
      Files.copy(Images.selfcheck(), made, StandardCopyOption.REPLACE_EXISTING);
      try (FileChannel channel = FileChannel.open(made, StandardOpenOption.WRITE)) {
        channel.write(numbers, CONFIG);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return made;
  }
}
