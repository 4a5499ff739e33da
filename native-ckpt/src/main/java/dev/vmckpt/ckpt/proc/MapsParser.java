// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.ArrayList;
import java.util.List;

/** Reads {@code /proc/PID/maps}. */
public final class MapsParser {
  private MapsParser() {}

  /**
   * The areas in ascending order, without flags.
   *
   * @throws ProcFormatException if a line is not of the form of proc_pid_maps(5)
   */
  public static List<ProcArea> parse(String mapsText) {
    Cursor cursor = new Cursor("maps", mapsText);
    List<ProcArea> areas = new ArrayList<>();
    while (!cursor.atEnd()) {
      areas.add(AreaLine.read(cursor, List.of()));
    }
    return areas;
  }
}
