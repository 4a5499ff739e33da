// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** What a guest says on its console, from a place on. */
final class GuestConsole {
  private final Path serial;
  private int from;

  GuestConsole(Path serial) {
    this.serial = serial;
  }

  /** What was said until now is passed over. */
  void mark() {
    from = text().length();
  }

  /** Waits for a line behind the one that was heard last. */
  void hear(String line) {
    Health.await(
        line,
        () -> {
          int at = text().indexOf(line + "\r\n", from);
          if (at >= 0) {
            from = at + line.length();
          }
          return at >= 0;
        });
  }

  /** Waits until this is the last it said of its devices. */
  void awaitLast(String line) {
    Health.await(
        line,
        () -> {
          String text = text();
          return text.startsWith(line + "\r\n", text.lastIndexOf("devices:"));
        });
  }

  /** Waits until it has said words of its work so many times more, and never of an error. */
  void awaitMore(Pattern words, int times) {
    long before = count(words);
    Health.await(words + " of the guest", () -> count(words) >= before + times);
  }

  private long count(Pattern words) {
    String text = text();
    assertThat(text).doesNotContain("error:", "I/O error");
    return words.matcher(text).results().count();
  }

  /** All it has said. */
  String text() {
    try {
      return Files.exists(serial) ? Files.readString(serial, StandardCharsets.ISO_8859_1) : "";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
