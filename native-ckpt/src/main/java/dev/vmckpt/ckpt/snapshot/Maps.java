// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.trace.Lodger;
import org.jspecify.annotations.Nullable;

/** The text of /proc/PID/maps, by which a plan is known to hold still. */
final class Maps {
  private Maps() {}

  /** The text without the lines of a lodger's workspace. */
  static String of(int pid, @Nullable Lodger lodger) {
    String text = ProcFs.read(ProcFs.of(pid, "maps"));
    if (lodger == null) {
      return text;
    }
    StringBuilder theirs = new StringBuilder(text.length());
    for (int start = 0; start < text.length(); ) {
      int end = text.indexOf('\n', start) + 1;
      if (end == 0) {
        end = text.length();
      }
      int dash = text.indexOf('-', start);
      if (!lodger.owns(Long.parseUnsignedLong(text, start, dash, 16))) {
        theirs.append(text, start, end);
      }
      start = end;
    }
    return theirs.toString();
  }
}
