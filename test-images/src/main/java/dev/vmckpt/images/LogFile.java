// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** What a target or a guest writes while a test reads it; only whole lines count. */
public final class LogFile {
  /** How long anything is waited for. Nothing is measured by it. */
  public static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Path path;

  /**
   * @param path a file, which need not exist yet
   */
  public LogFile(Path path) {
    this.path = path;
  }

  /** Where it lies. */
  public Path path() {
    return path;
  }

  /** All whole lines, without carriage returns. */
  public List<String> lines() {
    return linesFrom(0);
  }

  /**
   * The whole lines that begin with a prefix and were written behind a mark.
   *
   * @param mark a size of the file, in bytes
   */
  public List<String> linesFrom(long mark, String prefix) {
    return beginning(linesFrom(mark), prefix);
  }

  private List<String> linesFrom(long mark) {
    String text = "";
    if (Files.exists(path)) {
      try {
        byte[] all = Files.readAllBytes(path);
        int start = (int) Math.min(mark, all.length);
        text = new String(all, start, all.length - start, StandardCharsets.ISO_8859_1);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    List<String> lines = new ArrayList<>();
    int from = 0;
    for (int end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      lines.add(text.substring(from, end).replace("\r", ""));
      from = end + 1;
    }
    return lines;
  }

  /** The lines that begin with a prefix. */
  public List<String> lines(String prefix) {
    return beginning(lines(), prefix);
  }

  private static List<String> beginning(List<String> lines, String prefix) {
    List<String> found = new ArrayList<>();
    for (String line : lines) {
      if (line.startsWith(prefix)) {
        found.add(line);
      }
    }
    return found;
  }

  /** The number behind a word in a line, for example 7 behind {@code errors}; -1 if none is. */
  public static long number(String line, String word) {
    String[] words = line.split(" ", -1);
    for (int i = 0; i + 1 < words.length; i++) {
      if (words[i].equals(word)) {
        try {
          return Long.parseLong(words[i + 1]);
        } catch (NumberFormatException e) {
          return -1;
        }
      }
    }
    return -1;
  }

  /** The highest number behind a word at the beginning of a line; -1 if there is no such line. */
  public long highest(String word) {
    long highest = -1;
    for (String line : lines(word + " ")) {
      highest = Math.max(highest, number(line, word));
    }
    return highest;
  }

  /**
   * Waits for a line.
   *
   * @param pid who writes it: when it has ended there is nothing to wait for
   * @return the first line that begins with the prefix
   */
  public String await(int pid, String prefix) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      boolean alive = Detached.alive(pid);
      List<String> found = lines(prefix);
      if (!found.isEmpty()) {
        return found.get(0);
      }
      giveUp(alive, deadline, pid, "no line '" + prefix + "'");
    }
  }

  /** Waits until the highest number behind a word at the beginning of a line is so high. */
  public long awaitNumber(int pid, String word, long least) {
    return awaitNumber(pid, word, least, PATIENCE);
  }

  /** The same with more patience: for what takes long on a busy machine. */
  public long awaitNumber(int pid, String word, long least, Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (true) {
      boolean alive = Detached.alive(pid);
      long highest = highest(word);
      if (highest >= least) {
        return highest;
      }
      giveUp(alive, deadline, pid, "no line '" + word + " " + least + "'");
    }
  }

  private void giveUp(boolean alive, long deadline, int pid, String what) {
    if (!alive || System.nanoTime() > deadline) {
      List<String> lines = lines();
      throw new AssertionError(
          what
              + " in "
              + path
              + ", and process "
              + pid
              + " is in state "
              + Detached.state(pid)
              + "; last words: "
              + lines.subList(Math.max(0, lines.size() - 10), lines.size()));
    }
    Detached.pause();
  }
}
