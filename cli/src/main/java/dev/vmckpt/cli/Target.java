// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Processes;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What TARGET on a command line stands for. */
final class Target {
  private Target() {}

  /**
   * The pid of a target.
   *
   * @param word a pid, or the name of exactly one process
   * @throws TargetGoneException if there is none
   * @throws UsageException if there are several
   */
  static int pid(String word) {
    if (isNumber(word)) {
      int pid = parse(word);
      if (pid <= 0 || !Files.exists(Path.of("/proc", Integer.toString(pid)))) {
        throw new TargetGoneException("there is no process " + word);
      }
      return pid;
    }
    List<Integer> pids = Processes.byName(word);
    if (pids.isEmpty()) {
      throw new TargetGoneException("there is no process named " + word);
    }
    if (pids.size() > 1) {
      throw new UsageException(
          pids.size()
              + " processes are named "
              + word
              + ": "
              + join(pids)
              + "; say which, by its pid");
    }
    return pids.get(0);
  }

  private static boolean isNumber(String word) {
    for (int i = 0; i < word.length(); i++) {
      if (word.charAt(i) < '0' || word.charAt(i) > '9') {
        return false;
      }
    }
    return !word.isEmpty();
  }

  private static int parse(String digits) {
    try {
      return Integer.parseInt(digits);
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  private static String join(List<Integer> pids) {
    StringBuilder text = new StringBuilder();
    for (Integer pid : pids) {
      text.append(text.length() == 0 ? "" : ", ").append(pid);
    }
    return text.toString();
  }
}
