// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.ArrayList;
import java.util.List;

/** Finds a range of addresses that is free in several address spaces at once. */
public final class FreeRange {
  private static final long LOWEST = 1L << 32;
  private static final long HIGHEST = 0x7f0000000000L;

  /** Wider than the gap that the kernel keeps free below a stack. */
  private static final long MARGIN = 16 << 20;

  private final List<long[]> taken = new ArrayList<>();

  /** Says that a range is taken. */
  public void take(long start, long end) {
    taken.add(new long[] {start, end});
  }

  /** The lowest free range of that many bytes. */
  public RemoteAddress find(long bytes) {
    long at = LOWEST;
    boolean moved = true;
    while (moved && at < HIGHEST) {
      moved = false;
      for (long[] range : taken) {
        if (range[0] - MARGIN < at + bytes && at < range[1] + MARGIN) {
          at = (range[1] + MARGIN + MARGIN - 1) / MARGIN * MARGIN;
          moved = true;
        }
      }
    }
    if (at >= HIGHEST) {
      throw new IllegalStateException("no free range of " + bytes + " bytes");
    }
    return new RemoteAddress(at);
  }
}
