// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.List;

/**
 * The line that stands for an area in {@code maps} and {@code smaps}:
 *
 * <pre>
 * 7f6d78b44000-7f6d78b46000 r-xs 00001000 fe:00 2146393                    /tmp/zoo/gone (deleted)
 * start        end          prot offset   dev   inode                     path, from column 73 on
 * </pre>
 */
final class AreaLine {
  /** fs/proc/task_mmu.c pads to 25 + 6 × sizeof(void *) - 1 characters, and puts one blank. */
  private static final int PATH_COLUMN = 73;

  private static final String DELETED = " (deleted)";

  private AreaLine() {}

  /** Reads one line, its end included. */
  static ProcArea read(Cursor cursor, List<String> vmFlags) {
    int lineStart = cursor.position();
    final long start = cursor.hex("start");
    cursor.expect('-', "dash");
    final long end = cursor.hex("end");
    cursor.expect(' ', "blank");
    if (Long.compareUnsigned(start, end) >= 0) {
      throw cursor.failure("area of some length");
    }
    int protection = bit(cursor, 'r', 1) | bit(cursor, 'w', 2) | bit(cursor, 'x', 4);
    char sharing = cursor.next("p or s");
    if (sharing != 'p' && sharing != 's') {
      throw cursor.failure("p or s");
    }
    cursor.expect(' ', "blank");
    final long offset = cursor.hex("offset");
    cursor.expect(' ', "blank");
    final long major = cursor.hex("major");
    cursor.expect(':', "colon");
    final long minor = cursor.hex("minor");
    if (major >>> 32 != 0 || minor >>> 32 != 0) {
      throw cursor.failure("device number");
    }
    cursor.expect(' ', "blank");
    final long inode = cursor.decimal("inode");
    while (cursor.position() - lineStart < PATH_COLUMN && cursor.peek() == ' ') {
      cursor.next("blank");
    }
    String path = cursor.restOfLine();
    cursor.nextLine();
    boolean deleted = inode != 0 && path.endsWith(DELETED);
    if (deleted) {
      path = path.substring(0, path.length() - DELETED.length());
    }
    return new ProcArea(
        start,
        end,
        protection,
        sharing == 's',
        offset,
        (int) major,
        (int) minor,
        inode,
        unescaped(path),
        deleted,
        vmFlags);
  }

  private static int bit(Cursor cursor, char letter, int value) {
    char c = cursor.next("protection");
    if (c == letter) {
      return value;
    }
    if (c != '-') {
      throw cursor.failure("protection");
    }
    return 0;
  }

  /** The kernel escapes the end of a line in a path, and nothing else. */
  private static String unescaped(String path) {
    return path.indexOf('\\') < 0 ? path : path.replace("\\012", "\n");
  }
}
