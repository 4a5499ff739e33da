// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

/** Sizes for people. */
final class ByteText {
  private static final String[] UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB"};

  private ByteText() {}

  /** Rounded up to a whole number of the biggest unit that leaves at least 10, or of bytes. */
  static String of(long bytes) {
    int unit = 0;
    long value = bytes;
    while (value >= 10 * 1024 && unit < UNITS.length - 1) {
      value = (value + 1023) / 1024;
      unit++;
    }
    if (unit == 0 && value >= 1024) {
      value = (value + 1023) / 1024;
      unit = 1;
    }
    return value + " " + UNITS[unit];
  }
}
