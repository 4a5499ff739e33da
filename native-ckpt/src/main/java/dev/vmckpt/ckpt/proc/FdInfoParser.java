// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import dev.vmckpt.spi.FdInfo;
import java.util.ArrayList;
import java.util.List;

/** Reads {@code /proc/PID/fdinfo/N}. */
public final class FdInfoParser {
  private FdInfoParser() {}

  /**
   * The offset, the flags, and all other lines as they stand.
   *
   * @throws ProcFormatException if {@code pos:} or {@code flags:} is missing or no number
   */
  public static FdInfo parse(String text) {
    Cursor cursor = new Cursor("fdinfo", text);
    boolean positionSeen = false;
    boolean flagsSeen = false;
    long position = 0;
    int flags = 0;
    List<String> lines = new ArrayList<>(4);
    while (!cursor.atEnd()) {
      if (!positionSeen && cursor.tryWord("pos:")) {
        cursor.blanks();
        position = cursor.decimal("offset");
        positionSeen = true;
      } else if (!flagsSeen && cursor.tryWord("flags:")) {
        cursor.blanks();
        flags = cursor.octal("octal flags");
        flagsSeen = true;
      } else {
        lines.add(cursor.restOfLine());
      }
      if (!cursor.atLineEnd()) {
        throw cursor.failure("end of line");
      }
      cursor.nextLine();
    }
    if (!positionSeen || !flagsSeen) {
      throw cursor.failure("pos: and flags:");
    }
    return new FdInfo(position, flags, List.copyOf(lines));
  }
}
