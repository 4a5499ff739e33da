// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One of the KVM monitors of this folder, whose guest checks itself, and its log. A restored one is
 * followed by {@link #as}.
 *
 * <p>Options and lines stand at the heads of {@code monitors/small-monitor.c} and {@code
 * monitors/full-monitor.c}. A monitor ends by itself, with exit code 1, when its guest's own
 * sequence of I/Os is not in order.
 */
public final class Monitor extends Watched {
  private Monitor(int pid, LogFile log) {
    super(pid, log, "pass");
  }

  /** Starts the least that is a KVM monitor: one vcpu, one slot, port I/O. */
  public static Monitor small(Path folder, String... options) {
    return start(folder, "small-monitor", options);
  }

  /** Starts the one that uses all of KVM. */
  public static Monitor full(Path folder, String... options) {
    return start(folder, "full-monitor", options);
  }

  /**
   * Starts a monitor; its guest runs when this returns.
   *
   * @param folder where its log goes, under its name
   * @param name {@code small-monitor} or {@code full-monitor}
   * @param options for example {@code --memory 64}
   * @throws AssertionError if it says nothing for a minute, for example without /dev/kvm
   */
  public static Monitor start(Path folder, String name, String... options) {
    return start(folder, List.of(), name, options);
  }

  /**
   * Starts a monitor by another program.
   *
   * @param prefix a command that executes its arguments
   */
  public static Monitor start(Path folder, List<String> prefix, String name, String... options) {
    Path log = folder.resolve(name + ".log");
    List<String> command = new ArrayList<>(prefix);
    command.addAll(List.of(Images.monitor(name).toString(), "--log", log.toString()));
    command.addAll(Arrays.asList(options));
    Monitor monitor =
        new Monitor(Detached.start(folder.resolve(name + ".words"), command), new LogFile(log));
    monitor.awaitReady();
    return monitor;
  }

  /**
   * One that somebody else has started, and that says {@code ready} or has said so.
   *
   * @param pid its number
   * @param log what was given to it as {@code --log}
   */
  public static Monitor running(int pid, Path log) {
    Monitor monitor = new Monitor(pid, new LogFile(log));
    monitor.awaitReady();
    return monitor;
  }

  /** The same monitor under another number, as after a restore. */
  public Monitor as(int number) {
    return new Monitor(number, log());
  }

  /** The number behind a word in the line of the last pass, for example {@code kicks}; else -1. */
  public long last(String word) {
    List<String> lines = log().lines("pass ");
    return lines.isEmpty() ? -1 : LogFile.number(lines.get(lines.size() - 1), word);
  }
}
