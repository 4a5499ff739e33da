// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.error.FailureException;
import org.jspecify.annotations.Nullable;

/** Numbers in the lines of fdinfo. */
final class InfoLine {
  private InfoLine() {}

  /** The value of a line that must be there. */
  static String text(DescriptorResource resource, FdInfo info, String key) {
    String value = info.value(key);
    if (value == null) {
      throw new FailureException(
          resource.name() + ": this kernel does not tell " + key + " in fdinfo");
    }
    return value;
  }

  static long hex(DescriptorResource resource, FdInfo info, String key) {
    String value = text(resource, info, key);
    try {
      return Long.parseUnsignedLong(value, 16);
    } catch (NumberFormatException e) {
      throw unreadable(resource, key, value, e);
    }
  }

  static long decimal(DescriptorResource resource, FdInfo info, String key) {
    String value = text(resource, info, key);
    try {
      return Long.parseUnsignedLong(value);
    } catch (NumberFormatException e) {
      throw unreadable(resource, key, value, e);
    }
  }

  static int octal(DescriptorResource resource, FdInfo info, String key) {
    String value = text(resource, info, key);
    try {
      return Integer.parseInt(value, 8);
    } catch (NumberFormatException e) {
      throw unreadable(resource, key, value, e);
    }
  }

  /** {@code (seconds, nanoseconds)} in nanoseconds. */
  static long nanos(DescriptorResource resource, FdInfo info, String key) {
    String value = text(resource, info, key);
    int comma = value.indexOf(", ");
    try {
      if (comma > 0 && value.startsWith("(") && value.endsWith(")")) {
        long seconds = Long.parseLong(value.substring(1, comma));
        long nanos = Long.parseLong(value.substring(comma + 2, value.length() - 1));
        return Math.addExact(Math.multiplyExact(seconds, 1_000_000_000L), nanos);
      }
    } catch (ArithmeticException e) {
      return Long.MAX_VALUE; // in 292 years
    } catch (NumberFormatException e) {
      throw unreadable(resource, key, value, e);
    }
    throw unreadable(resource, key, value, null);
  }

  /**
   * A hexadecimal number behind {@code key} within a line.
   *
   * @return the number; the line must have it
   */
  static long hexBehind(DescriptorResource resource, String line, String key) {
    String digits = behind(resource, line, key);
    try {
      return Long.parseUnsignedLong(digits, 16);
    } catch (NumberFormatException e) {
      throw unreadable(resource, key, line, e);
    }
  }

  /** A decimal number behind {@code key} within a line. */
  static int decimalBehind(DescriptorResource resource, String line, String key) {
    String digits = behind(resource, line, key);
    try {
      return Integer.parseInt(digits);
    } catch (NumberFormatException e) {
      throw unreadable(resource, key, line, e);
    }
  }

  private static String behind(DescriptorResource resource, String line, String key) {
    int at = line.indexOf(key);
    if (at < 0) {
      throw unreadable(resource, key, line, null);
    }
    int start = at + key.length();
    while (start < line.length() && line.charAt(start) == ' ') {
      start++;
    }
    int end = start;
    while (end < line.length() && line.charAt(end) != ' ') {
      end++;
    }
    return line.substring(start, end);
  }

  private static FailureException unreadable(
      DescriptorResource resource, String key, String value, @Nullable Throwable cause) {
    String message =
        resource.name() + ": fdinfo says " + key + " " + value + ", which is no number";
    return cause == null ? new FailureException(message) : new FailureException(message, cause);
  }
}
