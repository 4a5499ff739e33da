// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A process that was started for a test and writes a line over and over that says how it is; what
 * all of them have in common.
 */
public abstract class Watched implements AutoCloseable {
  /** The number zero; at a seam of two writers something else may follow it. */
  private static final Pattern NONE = Pattern.compile("0+(\\D.*)?");

  private final int pid;
  private final LogFile log;
  private final String beat;

  /**
   * @param beat the word that a line begins with which is written over and over; a number follows
   */
  Watched(int pid, LogFile log, String beat) {
    this.pid = pid;
    this.log = log;
    this.beat = beat;
  }

  /** Its number. */
  public final int pid() {
    return pid;
  }

  /** What it writes. */
  public final LogFile log() {
    return log;
  }

  final String beat() {
    return beat;
  }

  /** The number of the last such line; 0 before the first. */
  public final long passes() {
    return Math.max(0, log.highest(beat));
  }

  /** Waits until it has gone so many further; it must still run then. */
  public final void awaitPasses(int more) {
    log.awaitNumber(pid, beat, passes() + more);
  }

  /** The same with more patience: a guest with much memory to fill comes late to its first. */
  public final void awaitPasses(int more, Duration patience) {
    log.awaitNumber(pid, beat, passes() + more, patience);
  }

  /** Every line that tells of something wrong. */
  public final List<String> errors() {
    List<String> errors = new ArrayList<>();
    for (String line : log.lines()) {
      if (tellsOfAnError(line)) {
        errors.add(line);
      }
    }
    return errors;
  }

  private boolean tellsOfAnError(String line) {
    if (line.startsWith("error") || line.startsWith("failed") || line.contains("BAD")) {
      return true;
    }
    // A killed writer's half line stands before the line of whoever goes on in the same file.
    for (String piece : line.split("(?=" + Pattern.quote(beat) + " \\d)", -1)) {
      if (piece.startsWith(beat + " ") && countsAnError(piece)) {
        return true;
      }
    }
    return false;
  }

  private static boolean countsAnError(String line) {
    String[] words = line.split(" ", -1);
    for (int i = 0; i + 1 < words.length; i++) {
      boolean counter = words[i].endsWith("errors") || words[i].equals("clock-jumps");
      if (counter && !NONE.matcher(words[i + 1]).matches()) {
        return true;
      }
    }
    return false;
  }

  /** Waits until it has said {@code ready}; ends it if it does not. */
  final void awaitReady() {
    try {
      log.await(pid, "ready");
    } catch (AssertionError e) {
      close();
      throw e;
    }
  }

  /** Whether it runs, sleeps or is stopped. */
  public final boolean alive() {
    return Detached.alive(pid);
  }

  /** Sends it a signal, for example {@code STOP}. */
  public final void signal(String name) {
    Detached.signal(pid, name);
  }

  /**
   * Waits until all its threads are in a state.
   *
   * @param state as in {@code /proc/PID/stat}: {@code 'T'} for stopped
   */
  public final void awaitState(char state) {
    Detached.awaitState(pid, state);
  }

  /** Ends it by SIGKILL and waits until it has ended. */
  public final void end() {
    Detached.kill(pid);
  }

  @Override
  public final void close() {
    end();
  }
}
