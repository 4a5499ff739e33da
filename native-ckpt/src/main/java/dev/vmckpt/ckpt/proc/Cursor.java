// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.ArrayList;
import java.util.List;

/** A place in a text of /proc, moved forward by reading. */
final class Cursor {
  private final String file;
  private final String text;
  private int at;
  private final int end;

  /**
   * @param file what is being read, for messages: {@code smaps}
   */
  Cursor(String file, String text) {
    this(file, text, 0, text.length());
  }

  /** Reads {@code text} from {@code from} up to, not including, {@code end}. */
  Cursor(String file, String text, int from, int end) {
    this.file = file;
    this.text = text;
    this.at = from;
    this.end = end;
  }

  boolean atEnd() {
    return at >= end;
  }

  /** Whether nothing is left on this line. */
  boolean atLineEnd() {
    return at >= end || text.charAt(at) == '\n';
  }

  int position() {
    return at;
  }

  /** The next character, not consumed; 0 at the end. */
  char peek() {
    return at < end ? text.charAt(at) : 0;
  }

  /** Consumes one character, any. */
  char next(String what) {
    if (at >= end) {
      throw failure(what);
    }
    return text.charAt(at++);
  }

  /** Consumes {@code c}, which must be there. */
  void expect(char c, String what) {
    if (at >= end || text.charAt(at) != c) {
      throw failure(what);
    }
    at++;
  }

  /** Consumes {@code word}, which must be there. */
  void expect(String word, String what) {
    if (!tryWord(word)) {
      throw failure(what);
    }
  }

  /** Consumes {@code word} if it stands here. */
  boolean tryWord(String word) {
    if (at + word.length() <= end && text.startsWith(word, at)) {
      at += word.length();
      return true;
    }
    return false;
  }

  /** Passes over blanks and tabs, possibly none. */
  void blanks() {
    while (at < end && (text.charAt(at) == ' ' || text.charAt(at) == '\t')) {
      at++;
    }
  }

  /** An unsigned hexadecimal number of 1 to 16 digits. */
  long hex(String what) {
    int start = at;
    long value = 0;
    while (at < end) {
      int digit = digit(text.charAt(at));
      if (digit < 0) {
        break;
      }
      if (value >>> 60 != 0) {
        throw failure(what);
      }
      value = value << 4 | digit;
      at++;
    }
    if (at == start) {
      throw failure(what);
    }
    return value;
  }

  /** An octal number that fits an int. */
  int octal(String what) {
    int start = at;
    long value = 0;
    while (at < end && text.charAt(at) >= '0' && text.charAt(at) <= '7') {
      value = value << 3 | (text.charAt(at) - '0');
      if (value > 0xffff_ffffL) {
        throw failure(what);
      }
      at++;
    }
    if (at == start) {
      throw failure(what);
    }
    return (int) value;
  }

  /** A decimal number with an optional minus; up to 2^64-1, which reads as -1. */
  long decimal(String what) {
    boolean negative = peek() == '-';
    if (negative) {
      at++;
    }
    int start = at;
    long value = 0;
    while (at < end && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      int digit = text.charAt(at) - '0';
      if (Long.compareUnsigned(value, MAX_TENTH) > 0
          || (value == MAX_TENTH && digit > MAX_LAST_DIGIT)) {
        throw failure(what);
      }
      value = value * 10 + digit;
      at++;
    }
    if (at == start || (negative && value < 0)) {
      throw failure(what);
    }
    return negative ? -value : value;
  }

  /** A decimal number that fits 32 bits, signed or not; 2^32-1 reads as -1. */
  int decimal32(String what) {
    long value = decimal(what);
    if (value < Integer.MIN_VALUE || value > 0xffff_ffffL) {
      throw failure(what);
    }
    return (int) value;
  }

  /** The decimal numbers up to the end of this line, possibly none. */
  List<Integer> decimals(String what) {
    List<Integer> numbers = new ArrayList<>();
    blanks();
    while (!atLineEnd()) {
      numbers.add(decimal32(what));
      blanks();
    }
    return List.copyOf(numbers);
  }

  /** The words up to the end of this line, possibly none. */
  List<String> words() {
    List<String> words = new ArrayList<>();
    blanks();
    while (!atLineEnd()) {
      words.add(word());
      blanks();
    }
    return List.copyOf(words);
  }

  /** What stands before the next blank or the end of the line, possibly nothing. */
  String word() {
    int start = at;
    while (at < end
        && text.charAt(at) != ' '
        && text.charAt(at) != '\t'
        && text.charAt(at) != '\n') {
      at++;
    }
    return text.substring(start, at);
  }

  /** What is left of this line, its end not consumed. */
  String restOfLine() {
    int start = at;
    toLineEnd();
    return text.substring(start, at);
  }

  /** Goes to the end of this line, not over it. */
  void toLineEnd() {
    int newline = text.indexOf('\n', at);
    at = newline < 0 || newline > end ? end : newline;
  }

  /** Goes to the beginning of the next line. */
  void nextLine() {
    toLineEnd();
    if (at < end) {
      at++;
    }
  }

  /** Says that what stands here is not {@code what}. */
  ProcFormatException failure(String what) {
    int from = Math.min(at, end);
    int to = Math.min(end, from + 24);
    return new ProcFormatException(
        "/proc text "
            + file
            + ": no "
            + what
            + " at character "
            + at
            + ", but \""
            + text.substring(from, to)
            + "\"");
  }

  private static final long MAX_TENTH = Long.divideUnsigned(-1L, 10);
  private static final int MAX_LAST_DIGIT = 5;

  private static int digit(char c) {
    if (c >= '0' && c <= '9') {
      return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
      return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  }
}
