// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The lines that a target writes over and over, with what it found wrong so far. A log goes on
 * behind whatever a killed predecessor wrote last, and its numbers begin again: lines are counted
 * from a mark, and halves of lines at a seam are passed over.
 */
final class Beats {
  private static final Pattern TICK =
      Pattern.compile(
          "tick (\\d+) uptime [\\d.]+ mem-errors (\\d+) disk-errors (\\d+) disk-blocks \\d+"
              + " clock-jumps (\\d+)");
  private static final Pattern PASS =
      Pattern.compile(
          "pass (\\d+) errors (\\d+) ticks \\d+ x87 (\\w+) avx (\\w+)" + " second \\w+ disk \\w+");
  private static final Pattern PROGRAM = Pattern.compile("pass (\\d+) errors (\\d+)");
  private static final Pattern MONITOR = Pattern.compile("pass (\\d+) errors (\\d+) .*");
  private static final long PATIENCE_NANOS = 90_000_000_000L;

  private final Path log;
  private final Pattern line;

  private Beats(Path log, Pattern line) {
    this.log = log;
    this.line = line;
  }

  /** Of the Linux guest. */
  static Beats linux(Path log) {
    return new Beats(log, TICK);
  }

  /** Of the self-check guest. */
  static Beats selfcheck(Path log) {
    return new Beats(log, PASS);
  }

  /** Of a target program. */
  static Beats program(Path log) {
    return new Beats(log, PROGRAM);
  }

  /** Of a KVM monitor. */
  static Beats monitor(Path log) {
    return new Beats(log, MONITOR);
  }

  /** The end of the log; lines count from here on. */
  long mark() {
    try {
      return Files.exists(log) ? Files.size(log) : 0;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits for so many more lines, from now on, of a process; all of them must be without error. */
  void awaitMore(int pid, int lines) {
    await(pid, mark(), lines);
  }

  /** How many lines stand behind a mark; all of them must be without error. */
  int lines(long mark) {
    return good(mark).size();
  }

  /** Waits until so many lines stand behind a mark; all of them must be without error. */
  void await(int pid, long mark, int lines) {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (true) {
      boolean alive = Detached.alive(pid);
      List<String> found = good(mark);
      if (found.size() >= lines) {
        return;
      }
      if (!alive || System.nanoTime() > deadline) {
        throw new AssertionError(
            found.size()
                + " lines instead of "
                + lines
                + "; process "
                + pid
                + " is in state "
                + Detached.state(pid)
                + "; last words: "
                + found.subList(Math.max(0, found.size() - 3), found.size()));
      }
      try {
        Thread.sleep(10);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }
  }

  /** The whole lines behind a mark; none of them may tell of something wrong. */
  private List<String> good(long mark) {
    List<String> found = new ArrayList<>();
    String text = tail(mark);
    // A mark may lie within a line: what is left of that one is none.
    int from = mark == 0 || tail(mark - 1).startsWith("\n") ? 0 : text.indexOf('\n') + 1;
    for (int end = text.indexOf('\n', from); end >= 0; end = text.indexOf('\n', from)) {
      String each = text.substring(from, end).replace("\r", "");
      from = end + 1;
      assertThat(each).doesNotStartWith("error:").doesNotStartWith("failed");
      Matcher matcher = line.matcher(each);
      if (!matcher.matches()) {
        continue;
      }
      found.add(each);
      for (int group = 2; group <= matcher.groupCount(); group++) {
        // At a seam one zero can stand behind another.
        assertThat(matcher.group(group))
            .as("%s; told before: %s", each, errors())
            .matches("0+|ok|absent");
      }
    }
    return found;
  }

  /** What was told of errors since the log began: a counter does not say what it counted. */
  private List<String> errors() {
    return tail(0).lines().filter(each -> each.startsWith("error:")).limit(10).toList();
  }

  private String tail(long mark) {
    try {
      byte[] all = Files.exists(log) ? Files.readAllBytes(log) : new byte[0];
      int start = (int) Math.min(mark, all.length);
      return new String(all, start, all.length - start, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
