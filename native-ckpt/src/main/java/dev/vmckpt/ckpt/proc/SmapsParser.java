// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.ArrayList;
import java.util.List;

/** Reads {@code /proc/PID/smaps}: the areas, and their flags. */
public final class SmapsParser {
  private SmapsParser() {}

  /**
   * The areas in ascending order.
   *
   * @throws ProcFormatException if a line is not of the form of proc_pid_smaps(5)
   */
  public static List<ProcArea> parse(String smapsText) {
    Cursor cursor = new Cursor("smaps", smapsText);
    List<ProcArea> areas = new ArrayList<>();
    while (!cursor.atEnd()) {
      ProcArea area = AreaLine.read(cursor, List.of());
      // Areas begin with a lower-case hexadecimal digit, what is said of them with a capital.
      while (cursor.peek() >= 'A' && cursor.peek() <= 'Z') {
        if (cursor.tryWord("VmFlags:")) {
          area = with(area, cursor.words());
        }
        cursor.nextLine();
      }
      areas.add(area);
    }
    return areas;
  }

  private static ProcArea with(ProcArea area, List<String> vmFlags) {
    return new ProcArea(
        area.start(),
        area.end(),
        area.protection(),
        area.shared(),
        area.offset(),
        area.major(),
        area.minor(),
        area.inode(),
        area.path(),
        area.deleted(),
        vmFlags);
  }
}
