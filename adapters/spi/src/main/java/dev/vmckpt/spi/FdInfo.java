// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code /proc/PID/fdinfo/N} says (proc_pid_fdinfo(5)).
 *
 * @param position the file offset in bytes
 * @param flags the status flags of open(2), O_CLOEXEC of this number included
 * @param lines all other lines, as they stand
 */
public record FdInfo(long position, int flags, List<String> lines) {
  /** O_ACCMODE of fcntl.h. */
  private static final int ACCESS = 3;

  /** Whether it was opened O_RDONLY. */
  public boolean readOnly() {
    return (flags & ACCESS) == 0;
  }

  /** Whether it was opened O_WRONLY. */
  public boolean writeOnly() {
    return (flags & ACCESS) == 1;
  }

  /** The text behind {@code key:} in the first line that has it, without blanks at its ends. */
  public @Nullable String value(String key) {
    for (String line : lines) {
      if (line.startsWith(key)
          && line.length() > key.length()
          && line.charAt(key.length()) == ':') {
        return line.substring(key.length() + 1).strip();
      }
    }
    return null;
  }
}
