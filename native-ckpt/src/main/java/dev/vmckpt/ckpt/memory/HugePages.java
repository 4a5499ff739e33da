// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;

/**
 * Gives a target its huge pages back. While its copy-on-write child lived, every write to a shared
 * huge page broke it into small ones; the kernel would join them in minutes, and until then the
 * guest runs slower and the next split copies five hundred times as many page-table entries.
 *
 * <p>By process_madvise(2) with MADV_COLLAPSE (Linux 6.1), from outside, while the target runs;
 * only where the target itself asked for huge pages. Where the kernel refuses, nothing changes.
 */
public final class HugePages {
  private static final int PROCESS_MADVISE = 440;
  private static final int MADV_COLLAPSE = 25;
  private static final long HUGE = 2 << 20;

  /** How much is asked for at once: short enough not to hold the target's map for long. */
  private static final long STEP = 32 << 20;

  private HugePages() {}

  /** Joins what can be joined. */
  public static void join(int pid, AddressSpacePlan plan) {
    long pidFd = FileCalls.tryPidFd(pid);
    if (pidFd < 0) {
      return;
    }
    try (OwnFd process = new OwnFd(pidFd)) {
      NativeBuffer vector = new NativeBuffer(16);
      for (AreaPlan area : plan.areas()) {
        if (!area.has("hg") || area.area().shared()) {
          continue;
        }
        long first = (area.area().start() + HUGE - 1) & -HUGE;
        for (long at = first; at + HUGE <= area.area().end(); at += STEP) {
          long length = Math.min(STEP, (area.area().end() - at) & -HUGE);
          vector.bytes().putLong(0, at).putLong(8, length);
          // EINVAL for a range in which nothing could be joined is no failure.
          Sys.tryCall(PROCESS_MADVISE, process.number(), vector.address(), 1, MADV_COLLAPSE, 0, 0);
        }
      }
    }
  }
}
