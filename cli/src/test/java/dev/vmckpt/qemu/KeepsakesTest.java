// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** What a snapshot keeps of a guest for people. */
@Execution(ExecutionMode.CONCURRENT)
class KeepsakesTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void theScreenIsKeptSmall() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    try (Machine machine = Machine.boot(vmckpt, folder, "-vga", "std")) {
      Health.await("the firmware's words are on the screen", () -> colours(vmckpt, machine) > 1);
      machine.kill();
      machine.restore("last");
      vmckpt.ok("verify", "last");
    }
  }

  private static int colours(Vmckpt vmckpt, Machine machine) throws IOException {
    try {
      vmckpt.run("rm", "last");
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "last");
      String screen = vmckpt.ok("show", "last", "--json").text("screen");
      assertThat(vmckpt.ok("show", "last").out()).contains("screen    " + screen);
      BufferedImage image = ImageIO.read(Path.of(screen).toFile());
      assertThat(image.getWidth()).isBetween(320, 720);
      int[] pixels =
          image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
      return (int) Arrays.stream(pixels).distinct().count();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void theConsolesLastLinesAreKept() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Path serial = folder.resolve("serial");
    List<String> options = new ArrayList<>(Machine.linux(serial));
    options.addAll(List.of("-netdev", "user,id=n"));
    try (Machine machine = Machine.boot(vmckpt, folder, options.toArray(new String[0]))) {
      Beats beats = Beats.linux(serial);
      beats.awaitMore(machine.pid(), 3);
      vmckpt.ok("snapshot", "" + machine.pid(), "--name", "a");
      beats.awaitMore(machine.pid(), 2);
      List<String> written = Files.readAllLines(serial);
      Run show = vmckpt.ok("show", "a", "--json");
      List<?> kept = (List<?>) Objects.requireNonNull(show.object().get("console"));
      assertThat(kept).isNotEmpty().hasSizeLessThanOrEqualTo(25);
      assertThat(written).containsSubsequence(kept.stream().map(String::valueOf).toList());
      assertThat(String.valueOf(kept.get(kept.size() - 1))).startsWith("tick ");
      // Those of the instant, not of later.
      assertThat(kept.get(kept.size() - 1)).isNotEqualTo(written.get(written.size() - 1));
      assertThat(show.object().get("screen")).isNull();
    }
  }
}
