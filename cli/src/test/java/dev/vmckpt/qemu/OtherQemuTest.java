// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.guest.OtherQemu;
import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Guest;
import dev.vmckpt.images.SelfcheckDisk;
import dev.vmckpt.images.SelfcheckMachine;
import dev.vmckpt.qemu.machine.MachineImage;
import dev.vmckpt.qemu.machine.MachineRecorder;
import dev.vmckpt.qemu.machine.MachineStarter;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ManifestFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One snapshot of a process, and other QEMUs started from it. */
class OtherQemuTest {
  @TempDir Path folder = Path.of("/nonexistent");

  private Manifest manifest(Path snapshot) throws Exception {
    byte[] bytes = Files.readAllBytes(snapshot.resolve(Manifest.FILE));
    return ManifestFile.decode(bytes, snapshot.toString());
  }

  @Test
  void oneSnapshotGoesOnUnderBothAccelerators() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Path monitor = folder.resolve("first");
    Path machine = Files.createDirectory(folder.resolve("machine"));
    Path snapshot;
    MachineImage recorded;
    Guest guest =
        SelfcheckMachine.kvm()
            .withDisk(SelfcheckMachine.Disk.VIRTIO)
            .with("-accel", "tcg", "-cpu", "qemu64,-svm,-sse3,-x2apic")
            .with("-qmp", "unix:" + monitor + ",server=on,wait=off")
            .start(folder);
    try (guest;
        Qmp qmp = Qmp.connect(monitor, Duration.ofSeconds(60))) {
      guest.awaitPasses(5);
      MachineRecorder recorder = new MachineRecorder(guest.pid());
      assertThat(recorder.prepare(qmp)).isEmpty();
      qmp.execute("stop");
      recorded = recorder.record(qmp, machine, true);
      Vmckpt.Run run = vmckpt.ok("snapshot", "" + guest.pid(), "--json", "--name", "m");
      snapshot = Path.of(run.text("folder"));
      qmp.execute("cont");
      guest.awaitPasses(3);
    }
    assertThat(recorded.stateBytes()).isLessThan(1 << 20);
    vmckpt.fails(1, "restore", "m", "--on", "qemu");
    for (String accelerator : new String[] {"kvm", "tcg"}) {
      Path work = folder.resolve("on-" + accelerator);
      MachineStarter.Started started =
          new OtherQemu(snapshot, machine, manifest(snapshot).processes().get(0))
              .start(new OtherQemu.Wish(null, accelerator, null, Set.of(), Map.of()), work);
      try {
        Guest other = guest.as(started.pid());
        // The line goes on at its end: passes of before are in it, and are done again.
        long mark = Files.size(other.log().path());
        Health.await(
            "passes under " + accelerator,
            () -> other.log().linesFrom(mark, "pass ").size() > 20 || !other.alive());
        assertThat(other.alive()).isTrue();
        assertThat(other.errors()).isEmpty();
      } finally {
        Detached.kill(started.pid());
      }
      try (var files = Files.list(work)) {
        Path disk =
            Objects.requireNonNull(
                files.filter(each -> each.toString().endsWith(".img")).findFirst().orElse(null));
        assertThat(SelfcheckDisk.read(disk).errors()).isEmpty();
      }
    }
  }
}
