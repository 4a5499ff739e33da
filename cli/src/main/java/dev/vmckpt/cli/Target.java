// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Processes;
import dev.vmckpt.libvirt.Domains;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What TARGET on a command line stands for. */
final class Target {
  static final String DESCRIPTION =
      "A pid, the name of exactly one process, qmp:PATH for the QEMU whose monitor listens"
          + " there, or libvirt:NAME for a domain of libvirt.";

  private static final String QMP = "qmp:";
  private static final String LIBVIRT = "libvirt:";

  private Target() {}

  /** The path of the monitor that a target is named by; empty if it is not. */
  static String monitor(String word) {
    return word.startsWith(QMP) ? word.substring(QMP.length()) : "";
  }

  /** The domain of libvirt that a target is named by; empty if it is not. */
  static String domain(String word) {
    return word.startsWith(LIBVIRT) ? word.substring(LIBVIRT.length()) : "";
  }

  /**
   * The pid of a target.
   *
   * @param word a pid, the name of exactly one process, {@code qmp:PATH}, {@code libvirt:NAME} or
   *     {@code libvirt:URI#NAME}
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
    if (word.startsWith(LIBVIRT)) {
      return Domains.pid(domain(word));
    }
    String monitor = monitor(word);
    boolean named = monitor.isEmpty();
    List<Integer> pids = named ? Processes.byName(word) : Processes.listeningAt(Path.of(monitor));
    if (pids.isEmpty()) {
      throw new TargetGoneException(
          named ? "there is no process named " + word : "nobody listens at " + monitor);
    }
    if (pids.size() > 1) {
      throw new UsageException(
          pids.size()
              + (named ? " processes are named " + word : " processes listen at " + monitor)
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
