// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.images.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@link SuddenDeath} of what is saved and brought back without KVM. */
class SuddenDeathTest extends SuddenDeath {
  @Test
  void ofSnapshotsOfAGuest() throws Exception {
    try (Qemu guest = Qemu.selfcheck(folder, "-accel", "tcg", "-cpu", "max")) {
      guest.awaitMore(3);
      killSnapshots(new GuestVictim(guest), 10);
    }
  }

  @Test
  void ofSnapshotsOfAProgramWithManyThreads() throws Exception {
    try (Target target = Target.start(folder, "registers")) {
      Beats beats = Beats.program(target.log().path());
      killSnapshots(new ProcessVictim(target.pid(), beats), 6);
    }
  }

  @Test
  void ofRestores() throws Exception {
    try (Qemu guest = Qemu.selfcheck(folder, "-accel", "tcg", "-cpu", "max")) {
      guest.awaitMore(3);
      killRestores(guest, 5);
    }
  }

  @Test
  @Tag("long")
  void ofTwoHundredSnapshotsOfALinuxGuest() throws Exception {
    try (Qemu guest = Qemu.linux(folder, 1024, "-sandbox", "on,spawn=deny")) {
      guest.awaitMore(3);
      killSnapshots(new GuestVictim(guest), 200);
    }
  }

  @Test
  @Tag("long")
  void ofTwentyRestoresOfALinuxGuest() throws Exception {
    try (Qemu guest = Qemu.linux(folder, 1024, "-sandbox", "on,spawn=deny")) {
      guest.awaitMore(3);
      killRestores(guest, 20);
    }
  }

  @Test
  void ofRestoresBesideTheOriginal() throws Exception {
    try (Qemu guest = Qemu.selfcheck(folder, "-accel", "tcg", "-cpu", "max")) {
      guest.awaitMore(3);
      killClones(guest, 3);
    }
  }

  @Test
  @Tag("long")
  void ofTwentyRestoresBesideTheOriginal() throws Exception {
    try (Qemu guest = Qemu.selfcheck(folder, "-accel", "tcg", "-cpu", "max")) {
      guest.awaitMore(3);
      killClones(guest, 20);
    }
  }
}
