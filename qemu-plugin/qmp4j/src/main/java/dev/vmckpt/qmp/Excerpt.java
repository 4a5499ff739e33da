// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

/**
 * The beginning of a message, kept to be quoted if the message turns out to be none. What a hostile
 * peer sent must not reach a terminal or a log as it is: escape sequences, line ends.
 */
final class Excerpt {
  /** What is kept of a message. */
  static final int BYTES = 80;

  private final byte[] kept = new byte[BYTES];
  private int length;
  private boolean more;

  void clear() {
    length = 0;
    more = false;
  }

  void add(byte[] bytes, int from, int to) {
    int room = Math.min(to - from, BYTES - length);
    System.arraycopy(bytes, from, kept, length, room);
    length += room;
    more |= room < to - from;
  }

  /** Forgets what is behind a length, which was not of this message. */
  void cut(long bytes) {
    more &= bytes > length;
    length = (int) Math.min(length, bytes);
  }

  /** What was kept, in printable ASCII, and whether there was more. */
  @Override
  public String toString() {
    StringBuilder out = new StringBuilder(length + 1);
    for (int i = 0; i < length; i++) {
      append(out, kept[i] & 0xff);
    }
    return more ? out.append("...").toString() : out.toString();
  }

  /** Words that may hold something of a peer's, in printable ASCII, shortened if need be. */
  static String safe(String text) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length() && i < 4 * BYTES; i++) {
      append(out, text.charAt(i));
    }
    return text.length() > 4 * BYTES ? out.append("...").toString() : out.toString();
  }

  private static void append(StringBuilder out, int c) {
    if (c == '\\') {
      out.append("\\\\");
    } else if (c >= ' ' && c < 0x7f) {
      out.append((char) c);
    } else {
      out.append(c < 0x100 ? "\\x" : "\\u");
      for (int shift = c < 0x100 ? 4 : 12; shift >= 0; shift -= 4) {
        out.append(Character.forDigit(c >> shift & 0xf, 16));
      }
    }
  }
}
