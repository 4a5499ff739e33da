// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PictureTest {
  @TempDir Path folder = Path.of("/nonexistent");

  private Path file(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("a.png"), bytes);
  }

  @Test
  void isShownWhereTheTerminalCan() throws IOException {
    byte[] bytes = new byte[10_000];
    new Random(1).nextBytes(bytes);
    String encoded = Base64.getEncoder().encodeToString(bytes);
    String iterm = Picture.in(Map.of("TERM_PROGRAM", "iTerm.app"), file(bytes));
    assertThat(iterm).isEqualTo("\u001b]1337;File=inline=1;size=10000:" + encoded + "\u0007\n");
    String kitty = Picture.in(Map.of("TERM", "xterm-kitty"), file(bytes));
    assertThat(kitty).startsWith("\u001b_Gf=100,a=T,m=1;").endsWith("\u001b\\\n");
    assertThat(kitty.replaceAll("\u001b_G[^;]*;|\u001b\\\\|\n", "")).isEqualTo(encoded);
  }

  @Test
  void isNotShownElsewhere() throws IOException {
    Path png = file(new byte[] {1});
    assertThat(Picture.in(Map.of("TERM", "xterm-256color"), png)).isEmpty();
    assertThat(Picture.in(Map.of("TERM", "screen", "KITTY_WINDOW_ID", "1"), png)).isEmpty();
    assertThat(Picture.in(Map.of("TERM", "xterm-kitty"), folder.resolve("none"))).isEmpty();
  }
}
