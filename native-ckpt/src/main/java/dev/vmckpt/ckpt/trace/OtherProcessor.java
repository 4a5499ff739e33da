// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;

/**
 * Lets a task of ours run beside the tracer thread, on another processor and as urgently: else the
 * scheduler may put it in the tracer's place, and what should go on at the same time goes on one
 * after the other. Where there is one processor, or no privilege, nothing changes.
 */
final class OtherProcessor {
  private static final int SCHED_SETAFFINITY = 203;
  private static final int SCHED_GETAFFINITY = 204;
  private static final int GETCPU = 309;
  private static final int MASK_BYTES = 1024;

  private final int tid;
  private final NativeBuffer mask = new NativeBuffer(MASK_BYTES);
  private final NativeBuffer processor = new NativeBuffer(Integer.BYTES);
  private final long bytes;
  private final boolean several;

  /**
   * @param tid the task, which must not be the target's
   */
  OtherProcessor(int tid) {
    this.tid = tid;
    bytes = Sys.tryCall(SCHED_GETAFFINITY, 0, MASK_BYTES, mask.address());
    int count = 0;
    for (int i = 0; i < bytes; i++) {
      count += Integer.bitCount(mask.bytes().get(i) & 0xff);
    }
    several = count > 1;
  }

  /** Puts the stopped task on any processor the tracer thread may use but the one it is on. */
  void take() {
    if (!several || Sys.tryCall(GETCPU, processor.address(), 0, 0) != 0) {
      return;
    }
    int here = processor.bytes().getInt(0);
    byte usual = mask.bytes().get(here / 8);
    mask.bytes().put(here / 8, (byte) (usual & ~(1 << here % 8)));
    Sys.tryCall(SCHED_SETAFFINITY, tid, bytes, mask.address());
    mask.bytes().put(here / 8, usual);
    PausePriority.raise(tid);
  }
}
