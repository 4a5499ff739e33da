// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.proc;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** When a process began: with its pid, what tells it from every other since the machine's start. */
public final class StartTime {
  /** Field 22 of proc_pid_stat(5), counted from the state, field 3, which follows the name. */
  private static final int FIELD = 22 - 3;

  private StartTime() {}

  /** In clock ticks since the machine's start; empty if there is no such process. */
  public static OptionalLong of(int pid) {
    try {
      return parse(
          new String(
              Files.readAllBytes(Path.of("/proc/" + pid + "/stat")), StandardCharsets.ISO_8859_1));
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /** The name, in parentheses, may hold anything, parentheses and blanks included. */
  public static OptionalLong parse(String stat) {
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
    if (fields[0].equals("Z") || fields[0].equals("X")) {
      // It has ended, and only its parent has not yet asked how.
      return OptionalLong.empty();
    }
    try {
      return fields.length > FIELD
          ? OptionalLong.of(Long.parseLong(fields[FIELD]))
          : OptionalLong.empty();
    } catch (NumberFormatException e) {
      return OptionalLong.empty();
    }
  }
}
