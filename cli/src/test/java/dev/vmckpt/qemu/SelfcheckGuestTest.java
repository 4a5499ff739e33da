// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The guest that checks its own registers, memory and interrupts. */
class SelfcheckGuestTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void threeGenerationsUnderEmulation() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Qemu guest = Qemu.selfcheck(folder, "-accel", "tcg", "-cpu", "max")) {
      guest.awaitMore(5);
      for (String name : List.of("first", "second", "third")) {
        vmckpt.ok("snapshot", "" + guest.pid(), "--name", name);
        Health.awaitUntouched(guest.pid());
        guest.awaitMore(5);
        guest.kill();
        Run run = vmckpt.ok("restore", name, "--json");
        guest.is(run.number("pid"));
        guest.awaitMore(5);
        Health.awaitUntouched(guest.pid());
      }
    }
  }

  @Test
  void underKvmItIsRefusedByNameAndGoesOn() throws Exception {
    Assumptions.assumeTrue(
        Files.isWritable(Path.of("/dev/kvm")), "there is no /dev/kvm that may be written here");
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Qemu guest = Qemu.selfcheck(folder, "-accel", "kvm", "-cpu", "host,-arch-capabilities")) {
      guest.awaitMore(2);
      Run inspected = vmckpt.ok("inspect", "" + guest.pid(), "--json");
      assertThat(inspected.out()).contains("kvm");
      Run refused = vmckpt.fails(3, "snapshot", "" + guest.pid(), "--name", "kvm");
      assertThat(refused.err()).containsIgnoringCase("kvm").contains("fd:");
      Health.awaitUntouched(guest.pid());
      guest.awaitMore(2);
      assertThat(vmckpt.ok("list", "--json").out()).doesNotContain("\"kvm\"");
    }
  }
}
