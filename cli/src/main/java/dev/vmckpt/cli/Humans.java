// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

/** Numbers and texts as people like to read them. */
final class Humans {
  private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private Humans() {}

  /** {@code 512 MiB}, {@code 1.5 GiB}: three digits at most, powers of 1024. */
  static String bytes(long bytes) {
    int unit = 0;
    double value = bytes;
    while (value >= 999.5 && unit < UNITS.length - 1) {
      value /= 1024;
      unit++;
    }
    return (unit == 0 ? Long.toString(bytes) : threeDigits(value)) + " " + UNITS[unit];
  }

  /** {@code 850 us}, {@code 9.1 ms}, {@code 1.25 s}, {@code 3 min 20 s}. */
  static String micros(long micros) {
    if (micros < 1_000) {
      return micros + " us";
    }
    if (micros < 999_500) {
      return oneDigit(micros / 1e3) + " ms";
    }
    if (micros < 99_500_000) {
      return threeDigits(micros / 1e6) + " s";
    }
    long seconds = Math.round(micros / 1e6);
    return seconds / 60 + " min " + seconds % 60 + " s";
  }

  /** A time as {@code Manifest} has it, to the second: {@code 2026-01-31 12:00:00 UTC}. */
  static String time(String iso) {
    return iso.length() < 19 ? iso : iso.substring(0, 10) + " " + iso.substring(11, 19) + " UTC";
  }

  /** {@code 1 file}, {@code 3 files}. */
  static String count(long number, String singular) {
    return number + " " + singular + (number == 1 ? "" : "s");
  }

  /**
   * A text of somebody else's that goes to a terminal: control characters are shown as {@code ?}.
   */
  static String plain(String text) {
    StringBuilder plain = null;
    for (int i = 0; i < text.length(); i++) {
      if (Character.isISOControl(text.charAt(i)) && text.charAt(i) != '\n') {
        plain = plain == null ? new StringBuilder(text) : plain;
        plain.setCharAt(i, '?');
      }
    }
    return plain == null ? text : plain.toString();
  }

  private static String threeDigits(double value) {
    if (value >= 99.95) {
      return Long.toString(Math.round(value));
    }
    return value >= 9.995 ? oneDigit(value) : decimals(Math.round(value * 100), 2);
  }

  private static String oneDigit(double value) {
    return value >= 99.95 ? Long.toString(Math.round(value)) : decimals(Math.round(value * 10), 1);
  }

  /** A whole number of tenths or hundredths, without zeros at the end. */
  private static String decimals(long number, int places) {
    while (places > 0 && number % 10 == 0) {
      number /= 10;
      places--;
    }
    String digits = Long.toString(number);
    if (places == 0) {
      return digits;
    }
    while (digits.length() <= places) {
      digits = "0" + digits;
    }
    int point = digits.length() - places;
    return digits.substring(0, point) + "." + digits.substring(point);
  }
}
