// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The self-check guest under KVM: cpus, memory, and a disk that can be checked from outside. */
class SelfcheckMachineTest {
  private static final int SECTOR_BYTES = 512;
  private static final int FIRST_SECTOR = 2048;

  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeEach
  void needsKvm() {
    Assumptions.assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void oneCpuAndAnIdeDisk() {
    runs(SelfcheckMachine.kvm(), 20);
  }

  @Test
  void twoCpusAndMemoryOfAFile() {
    String line = runs(SelfcheckMachine.kvm().withCpus(2).inMemfd(), 20);
    assertThat(LogFile.number(line, "second")).isPositive();
  }

  @Test
  void twoCpusAndAllMemoryOnAVirtioDisk() {
    SelfcheckMachine machine =
        SelfcheckMachine.kvm().withCpus(2).withMemory(384).withDisk(SelfcheckMachine.Disk.VIRTIO);
    runs(machine, 10);
    assertThat(new LogFile(folder.resolve("serial")).lines("selfcheck memory 366 MiB")).hasSize(1);
  }

  @Test
  @Tag("long")
  void sixGibibytes() {
    runs(SelfcheckMachine.kvm().withCpus(2).withMemory(6144), 120);
    assertThat(new LogFile(folder.resolve("serial")).lines("selfcheck memory 6126 MiB")).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource(SelfcheckMachine.Disk.class)
  void itsDiskIsInOrderWhenItIsKilledAndDamageIsSeen(SelfcheckMachine.Disk kind)
      throws IOException {
    Path disk = SelfcheckMachine.diskIn(folder);
    String line = runs(SelfcheckMachine.kvm().withDisk(kind).checking(32).writing(16), 40);
    long told = LogFile.number(line, "disk");
    SelfcheckDisk read = SelfcheckDisk.read(disk);
    assertThat(read.errors()).isEmpty();
    // It is killed in a pass whose line was not written, or not whole.
    assertThat(read.written()).isBetween(told, told + 3 * 16);

    try (FileChannel file = FileChannel.open(disk, StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.wrap(new byte[] {1}), (FIRST_SECTOR + 77) * SECTOR_BYTES + 300);
    }
    assertThat(SelfcheckDisk.read(disk).errors()).hasSize(1);
  }

  @Test
  void theGuestTellsOfADamagedSector() throws IOException {
    try (Guest guest = SelfcheckMachine.kvm().writing(16).start(folder)) {
      guest.awaitTicks(20);
      assertThat(guest.errors()).isEmpty();
      byte[] old = new byte[SECTOR_BYTES];
      old[16] = 99;
      try (FileChannel file =
          FileChannel.open(SelfcheckMachine.diskIn(folder), StandardOpenOption.WRITE)) {
        file.write(ByteBuffer.wrap(old), (FIRST_SECTOR + 200) * SECTOR_BYTES);
      }
      String error = guest.serial().await(guest.pid(), "error: disk sector");
      assertThat(error).startsWith("error: disk sector 200 expected ").endsWith(" got 99");
      assertThat(guest.errors()).isNotEmpty();
    }
  }

  /** Runs a machine for some passes; the line of the last one. */
  private String runs(SelfcheckMachine machine, int passes) {
    try (Guest guest = machine.start(folder)) {
      guest.awaitTicks(passes, Duration.ofMinutes(5));
      assertThat(guest.errors()).isEmpty();
      assertThat(guest.alive()).isTrue();
      guest.end();
      assertThat(guest.errors()).isEmpty();
      List<String> lines = guest.serial().lines("pass ");
      return lines.get(lines.size() - 1);
    }
  }
}
