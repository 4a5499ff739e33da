// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.marks;

import dev.vmckpt.spi.proc.StartTime;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The name of something that a vmckpt made in a QEMU: {@code vmckpt-PID-START-NUMBER}, and a letter
 * behind it for what belongs together. It tells whose it is, and so whether anybody still looks
 * after it. At most 31 bytes, which is what QEMU allows for a node.
 *
 * @param pid of the process that made it
 * @param start when that process began, in clock ticks since the machine started; a pid may be
 *     given to somebody else, a pid and its start are not
 * @param number unique for that process
 */
public record PartName(long pid, long start, int number) {
  private static final Pattern FORM =
      Pattern.compile("vmckpt-(\\d+)-([0-9a-z]{1,13})-(\\d+)[a-z]?");

  /** A name of our own. */
  public static PartName own(int number) {
    long pid = ProcessHandle.current().pid();
    return new PartName(pid, startOf(pid), number);
  }

  /** Reads a name; null if no vmckpt made it. */
  public static @Nullable PartName tryRead(String name) {
    Matcher matcher = FORM.matcher(name);
    if (!matcher.matches()) {
      return null;
    }
    try {
      return new PartName(
          Long.parseLong(matcher.group(1)),
          Long.parseLong(matcher.group(2), Character.MAX_RADIX),
          Integer.parseInt(matcher.group(3)));
    } catch (NumberFormatException e) {
      return null; // longer than any of ours
    }
  }

  /** Whether this process made it. */
  public boolean isOwn() {
    return pid == ProcessHandle.current().pid() && start == startOf(pid);
  }

  /** Whether the process that made it still runs. One of another pid namespace is not seen. */
  public boolean isOwnerAlive() {
    return startOf(pid) == start;
  }

  /** When a process began; -1 if there is none. */
  private static long startOf(long pid) {
    return StartTime.of((int) pid).orElse(-1);
  }

  /** The job, and the bitmap of what is to be copied. */
  public String job() {
    return toString();
  }

  /** The node that is copied to. */
  public String target() {
    return this + "t";
  }

  /** The file below that node. */
  public String file() {
    return this + "f";
  }

  /** The image that tells where the data lies. */
  public String map() {
    return this + "m";
  }

  /** The object that says who has stopped the guest. */
  public String mark() {
    return this + "s";
  }

  /** The object that says who has unplugged which devices. */
  public String plug() {
    return this + "p";
  }

  @Override
  public String toString() {
    return "vmckpt-" + pid + "-" + Long.toString(start, Character.MAX_RADIX) + "-" + number;
  }
}
