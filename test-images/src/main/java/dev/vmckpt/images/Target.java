// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A target program that was started, and its log. Restored ones are followed by {@link #as}. */
public final class Target extends Watched {
  private Target(int pid, LogFile log) {
    super(pid, log, "pass");
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
    target.awaitReady();
    return target;
  }

  /** The same program under another number, as after a restore. */
  public Target as(int number) {
    return new Target(number, log());
  }

  /** A clone of it, under another number and with a log of its own. */
  public Target twin(int number, Path itsLog) {
    return new Target(number, new LogFile(itsLog));
  }
}
