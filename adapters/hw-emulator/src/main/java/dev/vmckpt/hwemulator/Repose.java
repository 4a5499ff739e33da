// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether a process outside has nothing to do. */
public final class Repose {
  /** Calls of x86-64 in which a thread waits to be woken, and does nothing of its own meanwhile. */
  private static final int[] WAITING = {
    7, // poll
    23, // select
    128, // rt_sigtimedwait
    202, // futex
    230, // clock_nanosleep
    232, // epoll_wait
    270, // pselect6
    271, // ppoll
    281, // epoll_pwait
  };

  private Repose() {}

  /** Whether we may look: {@code /proc/PID/task/TID/syscall} needs what ptrace needs. */
  public static boolean isVisible(int pid) {
    return !read(pid, "" + pid, "syscall").isEmpty();
  }

  /**
   * Whether all threads of a process sleep, each in a call that waits for others. A process that is
   * stopped does not rest: it may be in the middle of anything.
   */
  public static boolean rests(int pid) {
    String[] threads = new File("/proc/" + pid + "/task").list();
    if (threads == null || threads.length == 0) {
      return false;
    }
    for (int i = 0; i < threads.length; i++) {
      if (!isAsleep(read(pid, threads[i], "stat")) || !waits(read(pid, threads[i], "syscall"))) {
        return false;
      }
    }
    return true;
  }

  /** {@code 4711 (name) S …}; a name may hold anything. */
  private static boolean isAsleep(String stat) {
    int name = stat.lastIndexOf(')');
    return name >= 0 && stat.startsWith(" S", name + 1);
  }

  /** {@code 271 0x55…}, or {@code running}. */
  private static boolean waits(String syscall) {
    for (int i = 0; i < WAITING.length; i++) {
      String number = "" + WAITING[i];
      if (syscall.startsWith(number)
          && syscall.length() > number.length()
          && syscall.charAt(number.length()) == ' ') {
        return true;
      }
    }
    return false;
  }

  private static String read(int pid, String thread, String file) {
    try {
      return new String(
          Files.readAllBytes(Path.of("/proc/" + pid + "/task/" + thread + "/" + file)),
          StandardCharsets.ISO_8859_1);
    } catch (IOException gone) {
      return "";
    }
  }
}
