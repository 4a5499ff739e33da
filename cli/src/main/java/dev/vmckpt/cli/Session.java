// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import picocli.CommandLine.Help.Ansi;

/**
 * Where a command line was typed: its streams and its environment.
 *
 * @param out the result
 * @param err everything else
 * @param environment the variables
 * @param outTerminal whether a person reads {@code out}
 * @param errTerminal whether a person reads {@code err}
 */
record Session(
    PrintStream out,
    PrintStream err,
    Map<String, String> environment,
    boolean outTerminal,
    boolean errTerminal) {

  /** The one this process was started in. Text is UTF-8, whatever the locale says. */
  static Session ofProcess() {
    return new Session(
        new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        System.getenv(),
        isTerminal(1),
        isTerminal(2));
  }

  /** Colours for standard output: only on a terminal, and not against https://no-color.org. */
  Ansi outColors() {
    return colors(outTerminal);
  }

  /** Colours for standard error. */
  Ansi errColors() {
    return colors(errTerminal);
  }

  private Ansi colors(boolean terminal) {
    boolean wanted =
        terminal
            && environment.getOrDefault("NO_COLOR", "").isEmpty()
            && !"dumb".equals(environment.get("TERM"));
    return wanted ? Ansi.ON : Ansi.OFF;
  }

  private static boolean isTerminal(int fd) {
    try {
      String device = Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString();
      return device.startsWith("/dev/pts/")
          || device.startsWith("/dev/tty")
          || device.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }
}
