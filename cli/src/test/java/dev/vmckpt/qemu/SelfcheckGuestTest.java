// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.nio.file.Path;
import java.util.List;
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
}
