// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A target program that was started, and its log. Restored ones are followed by {@link #as}. */
public final class Target implements AutoCloseable {
  private final int pid;
  private final LogFile log;

  private Target(int pid, LogFile log) {
    this.pid = pid;
    this.log = log;
  }

  /**
   * Starts a program of this folder; it has written {@code ready} when this returns.
   *
   * @param folder where its log goes
   * @param program its name
   * @param more arguments behind the log's
   */
  public static Target start(Path folder, String program, String... more) {
    return start(folder, List.of(), program, more);
  }

  /**
   * Starts a program of this folder by another one.
   *
   * @param prefix a command that executes its arguments, for example {@code setpriv}
   */
  public static Target start(Path folder, List<String> prefix, String program, String... more) {
    Path log = folder.resolve(program + ".log");
    List<String> command = new ArrayList<>(prefix);
    command.add(Images.program(program).toString());
    command.add(log.toString());
    command.addAll(Arrays.asList(more));
    Target target =
        new Target(Detached.start(folder.resolve(program + ".words"), command), new LogFile(log));
    try {
      target.log.await(target.pid, "ready");
    } catch (AssertionError e) {
      target.close();
      throw e;
    }
    return target;
  }

  /** The same program under another number, as after a restore. */
  public Target as(int number) {
    return new Target(number, log);
  }

  /** A clone of it, under another number and with a log of its own. */
  public Target twin(int number, Path itsLog) {
    return new Target(number, new LogFile(itsLog));
  }

  /** Its number. */
  public int pid() {
    return pid;
  }

  /** What it writes. */
  public LogFile log() {
    return log;
  }

  /** The number of its last pass; 0 before the first. */
  public long passes() {
    return Math.max(0, log.highest("pass"));
  }

  /** Waits until it has gone so many passes further. */
  public void awaitPasses(int more) {
    log.awaitNumber(pid, "pass", passes() + more);
  }

  /** Every line that tells of something wrong. */
  public List<String> errors() {
    List<String> errors = new ArrayList<>();
    for (String line : log.lines()) {
      if (line.startsWith("error")
          || line.startsWith("failed")
          || (line.startsWith("pass ") && LogFile.number(line, "errors") != 0)) {
        errors.add(line);
      }
    }
    return errors;
  }

  /** Whether it runs, sleeps or is stopped. */
  public boolean alive() {
    return Detached.alive(pid);
  }

  /** Sends it a signal, for example {@code STOP}. */
  public void signal(String name) {
    Detached.signal(pid, name);
  }

  /**
   * Waits until all its threads are in a state.
   *
   * @param state as in {@code /proc/PID/stat}: {@code 'T'} for stopped
   */
  public void awaitState(char state) {
    Detached.awaitState(pid, state);
  }

  /** Ends it by SIGKILL and waits until it has ended. */
  public void end() {
    Detached.kill(pid);
  }

  @Override
  public void close() {
    end();
  }
}
