// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import java.nio.ByteBuffer;

/** Tells pages of zeros from others: a locked guest has every page present, used or not. */
final class ZeroPages {
  private static final ByteBuffer ZEROS = new NativeBuffer(PageScan.PAGE).bytes();

  private ZeroPages() {}

  static boolean isZero(NativeBuffer buffer, int page) {
    ByteBuffer bytes = buffer.bytes();
    // Most pages give themselves away with their first or last word.
    return bytes.getLong(page) == 0
        && bytes.getLong(page + PageScan.PAGE - Long.BYTES) == 0
        && bytes.slice(page, PageScan.PAGE).mismatch(ZEROS.slice(0, PageScan.PAGE)) < 0;
  }

  /** The end of the run of pages from {@code start} on that are all zero, or all not. */
  static int endOfRun(NativeBuffer buffer, int start, int end) {
    boolean zero = isZero(buffer, start);
    int at = start + PageScan.PAGE;
    while (at < end && isZero(buffer, at) == zero) {
      at += PageScan.PAGE;
    }
    return at;
  }
}
