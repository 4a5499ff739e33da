// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.images.SelfcheckDisk;
import dev.vmckpt.images.SelfcheckMachine;
import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The self-check guest goes from TCG to KVM and back, and finds nothing wrong. */
final class AcceleratorsTest {
  /** What both accelerators can show to a guest on this processor. */
  private static final String CPU = "qemu64,-svm,-sse3,-x2apic";

  @TempDir Path folder;

  private static long timerTicks(Move move) {
    List<String> lines = move.guest().log().lines("pass ");
    return LogFile.number(lines.get(lines.size() - 1), "ticks");
  }

  /** It passes its checks, and its timer interrupts come. */
  private static void assertGoesOn(Move move) {
    move.guest().awaitPasses(3);
    long before = timerTicks(move);
    move.guest().awaitPasses(10);
    assertThat(timerTicks(move)).isGreaterThan(before);
    List<String> lines = move.guest().log().lines("pass ");
    assertThat(lines.get(lines.size() - 1)).doesNotContain("second absent");
    assertThat(move.guest().errors()).isEmpty();
  }

  @Test
  void fromTcgToKvmAndBack() throws IOException {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    SelfcheckMachine machine =
        SelfcheckMachine.kvm()
            .withDisk(SelfcheckMachine.Disk.VIRTIO)
            .withCpus(2)
            .with("-accel", "tcg", "-cpu", CPU)
            .with(Move.monitorIn(folder).toArray(new String[0]));
    Move move =
        new Move(machine.start(folder), folder.resolve("first"), SelfcheckMachine.diskIn(folder));
    try {
      assertGoesOn(move);
      Move asked = move;
      assertThatThrownBy(() -> asked.to(folder.resolve("r"), plain -> plain.on("tcg", "host")))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("-cpu host");
      assertGoesOn(move);
      String[] accelerators = {"kvm", "tcg", "kvm", "tcg"};
      for (int i = 0; i < accelerators.length; i++) {
        String accelerator = accelerators[i];
        move =
            move.to(
                folder.resolve("m" + i),
                plain -> plain.on(accelerator, null).accepting(Set.of("kvm")));
        assertGoesOn(move);
      }
      move.guest().end();
      assertThat(SelfcheckDisk.read(move.disk()).errors()).isEmpty();
    } finally {
      move.close();
    }
  }
}
