// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;

/**
 * A PNG in a terminal, by the inline images of iTerm2 (which WezTerm has too) or the graphics
 * protocol of kitty (Ghostty too); others show no pictures.
 */
final class Picture {
  private static final int CHUNK = 4096;

  private Picture() {}

  /**
   * The escape sequences that show a picture; empty if this terminal is none of those, or the file
   * cannot be read.
   *
   * @param environment of this process, which tells what the terminal is
   */
  static String in(Map<String, String> environment, Path png) {
    String program = environment.getOrDefault("TERM_PROGRAM", "");
    String term = environment.getOrDefault("TERM", "");
    // A multiplexer shows what it knows, and that is no pictures.
    boolean multiplexed = term.startsWith("screen") || term.startsWith("tmux");
    boolean kitty =
        environment.containsKey("KITTY_WINDOW_ID")
            || term.contains("kitty")
            || program.equals("ghostty");
    boolean inline = program.equals("iTerm.app") || program.equals("WezTerm");
    if (multiplexed || !(kitty || inline)) {
      return "";
    }
    try {
      byte[] bytes = Files.readAllBytes(png);
      return inline ? iterm(bytes) : kitty(bytes);
    } catch (IOException e) {
      return "";
    }
  }

  private static String iterm(byte[] bytes) {
    String text = new String(Base64.getEncoder().encode(bytes), StandardCharsets.US_ASCII);
    return "\u001b]1337;File=inline=1;size=" + bytes.length + ":" + text + "\u0007\n";
  }

  private static String kitty(byte[] bytes) {
    String text = new String(Base64.getEncoder().encode(bytes), StandardCharsets.US_ASCII);
    StringBuilder sequences = new StringBuilder();
    for (int from = 0; from < text.length(); from += CHUNK) {
      int to = Math.min(text.length(), from + CHUNK);
      sequences
          .append("\u001b_G")
          .append(from == 0 ? "f=100,a=T," : "")
          .append("m=")
          .append(to < text.length() ? 1 : 0)
          .append(';')
          .append(text, from, to)
          .append("\u001b\\");
    }
    return sequences.append('\n').toString();
  }
}
