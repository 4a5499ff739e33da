// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.images.Guest;
import dev.vmckpt.images.Images;
import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The Linux guest goes to another QEMU with the same processor, a greater one, and never a lesser.
 */
final class CpuModelsTest {
  @TempDir Path folder;

  private Move boot(String cpu, String... more) throws IOException {
    Path disk = folder.resolve("linux.raw");
    Files.copy(Images.linuxDisk(), disk);
    List<String> options =
        new ArrayList<>(
            List.of(
                "-accel",
                "tcg",
                "-cpu",
                cpu,
                "-m",
                "256",
                "-smp",
                "2",
                "-drive",
                "file=" + disk + ",format=raw,if=virtio"));
    options.addAll(Move.monitorIn(folder));
    options.addAll(List.of(more));
    return new Move(Guest.linux(folder, 32, options), folder.resolve("first"), disk);
  }

  private static void assertGoesOn(Move move) {
    move.guest().awaitTicks(10);
    assertThat(move.guest().errors()).isEmpty();
  }

  @Test
  void sameAndGreaterAreRightAndLesserIsRefused() throws IOException {
    Move move =
        boot(
            "Nehalem", "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n", "-vga", "std");
    try {
      assertGoesOn(move);
      Move first = move;
      for (String lesser : List.of("Nehalem,-sse4.2", "core2duo", "qemu32")) {
        assertThatThrownBy(
                () -> first.to(Files.createTempDirectory(folder, "no"), p -> p.on("tcg", lesser)))
            .as(lesser)
            .isInstanceOf(RefusedException.class)
            .hasMessageContaining("the guest has seen what");
      }
      assertThatThrownBy(
              () -> first.to(Files.createTempDirectory(folder, "no"), p -> p.on("tcg", "nonsense")))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("nonsense");
      assertThatThrownBy(
              () ->
                  first.to(Files.createTempDirectory(folder, "no"), p -> p.by(Path.of("/no/qemu"))))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("/no/qemu");
      assertGoesOn(move);
      move = move.to(folder.resolve("same"), plain -> plain);
      assertGoesOn(move);
      move = move.to(folder.resolve("more"), plain -> plain.on("tcg", "max,vendor=GenuineIntel"));
      assertGoesOn(move);
    } finally {
      move.close();
    }
  }
}
