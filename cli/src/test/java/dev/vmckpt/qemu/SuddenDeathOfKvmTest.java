// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Guest;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.Monitor;
import dev.vmckpt.images.SelfcheckMachine;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@link SuddenDeath} of snapshots of KVM machines: what was put into them must not stay. */
class SuddenDeathOfKvmTest extends SuddenDeath {
  @Test
  void ofSnapshotsOfAKvmMonitor() throws Exception {
    killSnapshotsOfAKvmMonitor(5);
  }

  @Test
  void ofSnapshotsOfAKvmGuest() throws Exception {
    killSnapshotsOfAKvmGuest(5);
  }

  @Test
  @Tag("long")
  void ofAHundredSnapshotsOfAKvmMonitor() throws Exception {
    killSnapshotsOfAKvmMonitor(100);
  }

  @Test
  @Tag("long")
  void ofAHundredSnapshotsOfAKvmGuest() throws Exception {
    killSnapshotsOfAKvmGuest(100);
  }

  private void killSnapshotsOfAKvmMonitor(int kills) throws Exception {
    try (Monitor monitor = Monitor.full(folder, "--routing", "0")) {
      monitor.awaitPasses(3);
      killSnapshots(new ProcessVictim(monitor.pid(), Beats.monitor(monitor.log().path())), kills);
    }
  }

  private void killSnapshotsOfAKvmGuest(int kills) throws Exception {
    try (Guest guest = SelfcheckMachine.kvm().withCpus(2).start(folder)) {
      guest.awaitTicks(3);
      killSnapshots(new ProcessVictim(guest.pid(), Beats.selfcheck(guest.serial().path())), kills);
    }
  }

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }
}
