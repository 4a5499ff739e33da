// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import java.nio.ByteBuffer;

/** Tells pages of zeros from others: a locked guest has every page present, used or not. */
final class ZeroPages {
  /** Shorter holes cost more in calls than they save in bytes. */
  static final int HOLE_MINIMUM = 8 << 10;

  private static final ByteBuffer ZEROS = new NativeBuffer(PageScan.PAGE).bytes();

  private ZeroPages() {}

  static boolean isZero(NativeBuffer buffer, int page) {
    ByteBuffer bytes = buffer.bytes();
    // Most pages give themselves away with their first or last word.
    return bytes.getLong(page) == 0
        && bytes.getLong(page + PageScan.PAGE - Long.BYTES) == 0
        && bytes.slice(page, PageScan.PAGE).mismatch(ZEROS.slice(0, PageScan.PAGE)) < 0;
  }

  /** The first page at or behind {@code start} that is not zero, or {@code end}. */
  static int skipZeros(NativeBuffer buffer, int start, int end) {
    int at = start;
    while (at < end && isZero(buffer, at)) {
      at += PageScan.PAGE;
    }
    return at;
  }

  /**
   * The end of the data from {@code start} on: where a run of zeros begins that is worth a hole.
   */
  static int endOfData(NativeBuffer buffer, int start, int end) {
    int dataEnd = start;
    for (int at = start; at < end; at += PageScan.PAGE) {
      if (!isZero(buffer, at)) {
        dataEnd = at + PageScan.PAGE;
      } else if (at + PageScan.PAGE - dataEnd >= HOLE_MINIMUM) {
        break;
      }
    }
    return dataEnd;
  }
}
