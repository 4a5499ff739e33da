// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Guest;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.SelfcheckDisk;
import dev.vmckpt.images.SelfcheckMachine;
import dev.vmckpt.images.SelfcheckMachine.Disk;
import dev.vmckpt.qemu.Vmckpt.Run;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** QEMU with KVM, and in it the guest that checks its registers, memory, interrupts and disk. */
class QemuKvmTest {
  private static final int SHORT_PASSES = 40;

  /** Half a minute of a guest that goes through hundreds of passes a second at most. */
  private static final Duration LONG = Duration.ofSeconds(30);

  private static final Duration FILLING = Duration.ofMinutes(5);

  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void oneCpuAndAnIdeDisk() throws Exception {
    threeGenerations(SelfcheckMachine.kvm(), Duration.ZERO);
  }

  @Test
  void twoCpusAVirtioDiskAndAMemoryFile() throws Exception {
    threeGenerations(
        SelfcheckMachine.kvm().withCpus(2).withDisk(Disk.VIRTIO).inMemfd(), Duration.ZERO);
  }

  @ParameterizedTest
  @Tag("long")
  @ValueSource(ints = {1, 2})
  void halfAMinuteEach(int cpus) throws Exception {
    threeGenerations(SelfcheckMachine.kvm().withCpus(cpus).withDisk(Disk.VIRTIO), LONG);
  }

  @Test
  @Tag("long")
  void sixGigabytes() throws Exception {
    threeGenerations(SelfcheckMachine.kvm().withCpus(2).withMemory(6144).checking(6000), LONG);
  }

  @Test
  void whoseGuestIsStopped() throws Exception {
    Path qmp = folder.resolve("qmp");
    Vmckpt vmckpt = new Vmckpt(folder);
    SelfcheckMachine machine =
        SelfcheckMachine.kvm().withCpus(2).with("-qmp", "unix:" + qmp + ",server=on,wait=off");
    Guest guest = machine.start(folder);
    Beats beats = Beats.selfcheck(guest.serial().path());
    try {
      guest.awaitTicks(3);
      tell(qmp, "stop");
      assertThat(Qemu.status(qmp)).isEqualTo("paused");
      vmckpt.ok("snapshot", "" + guest.pid(), "--name", "stopped");
      Health.awaitUntouched(guest.pid());
      assertThat(Qemu.status(qmp)).isEqualTo("paused");
      tell(qmp, "cont");
      beats.awaitMore(guest.pid(), SHORT_PASSES);
      guest.end();
      long mark = Files.size(guest.serial().path());
      guest = guest.as(vmckpt.ok("restore", "stopped", "--json").number("pid"));
      assertThat(Qemu.status(qmp)).isEqualTo("paused");
      assertThat(Files.size(guest.serial().path())).isEqualTo(mark);
      tell(qmp, "cont");
      beats.await(guest.pid(), mark, SHORT_PASSES);
    } finally {
      guest.end();
    }
  }

  private static void tell(Path qmp, String command) {
    try (Qmp monitor = Qemu.monitor(qmp)) {
      monitor.execute(command);
    }
  }

  /** Each saved from the one before, which has gone on and was killed. */
  private void threeGenerations(SelfcheckMachine machine, Duration each) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Guest guest = machine.start(folder);
    Beats beats = Beats.selfcheck(guest.serial().path());
    try {
      guest.awaitTicks(2, FILLING);
      long written = 0;
      for (String name : List.of("first", "second", "third")) {
        Run saved = vmckpt.ok("snapshot", "" + guest.pid(), "--name", name, "--json");
        Health.awaitUntouched(guest.pid());
        written = checkDisk(vmckpt.store().resolve(saved.text("snapshot")), written);
        goOn(beats, guest, beats.mark(), each);
        guest.end();
        long mark = beats.mark();
        guest = guest.as(vmckpt.ok("restore", name, "--json").number("pid"));
        goOn(beats, guest, mark, each);
        Health.awaitUntouched(guest.pid());
      }
    } finally {
      guest.end();
    }
  }

  private static void goOn(Beats beats, Guest guest, long mark, Duration atLeast)
      throws InterruptedException {
    Thread.sleep(atLeast.toMillis());
    beats.await(guest.pid(), mark, atLeast.isZero() ? SHORT_PASSES : 3);
    assertThat(guest.alive()).isTrue();
  }

  /** The disk in a snapshot is of one instant, and later than that of the snapshot before. */
  private static long checkDisk(Path snapshot, long writtenBefore) throws IOException {
    try (Stream<Path> files = Files.list(snapshot.resolve("disks"))) {
      List<Path> disks = files.toList();
      assertThat(disks).hasSize(1);
      SelfcheckDisk disk = SelfcheckDisk.read(disks.get(0));
      assertThat(disk.errors()).isEmpty();
      assertThat(disk.written()).isGreaterThan(writtenBefore);
      return disk.written();
    }
  }
}
