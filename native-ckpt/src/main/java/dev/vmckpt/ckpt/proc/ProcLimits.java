// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.ArrayList;
import java.util.List;
import java.util.StringTokenizer;

/**
 * Reads {@code /proc/PID/limits}. Unlike prlimit(2) it needs no CAP_SYS_RESOURCE for a process of
 * another user.
 */
public final class ProcLimits {
  /** The width of the column of names: {@code fs/proc/base.c}. */
  private static final int NAMES = 26;

  private static final int RESOURCES = 16;

  /**
   * One limit.
   *
   * @param current the soft one, -1 for RLIM_INFINITY
   * @param maximum the hard one
   */
  public record Limit(long current, long maximum) {}

  private ProcLimits() {}

  /**
   * The limits in the order of RLIMIT_*, which is the order of the lines.
   *
   * @throws ProcFormatException if a line is missing or another than proc_pid_limits(5) says
   */
  public static List<Limit> parse(String text) {
    List<Limit> limits = new ArrayList<>(RESOURCES);
    for (int start = text.indexOf('\n') + 1; start < text.length(); ) {
      int end = text.indexOf('\n', start);
      if (end < start + NAMES) {
        throw new ProcFormatException("limits: a line ends early");
      }
      StringTokenizer words = new StringTokenizer(text.substring(start + NAMES, end));
      if (words.countTokens() < 2) {
        throw new ProcFormatException("limits: a line has no values");
      }
      limits.add(new Limit(value(words.nextToken()), value(words.nextToken())));
      start = end + 1;
    }
    if (limits.size() < RESOURCES) {
      throw new ProcFormatException("limits: there are only " + limits.size());
    }
    return limits;
  }

  private static long value(String word) {
    if (word.equals("unlimited")) {
      return -1;
    }
    try {
      return Long.parseUnsignedLong(word);
    } catch (NumberFormatException e) {
      throw new ProcFormatException("limits: '" + word + "' is no number");
    }
  }
}
