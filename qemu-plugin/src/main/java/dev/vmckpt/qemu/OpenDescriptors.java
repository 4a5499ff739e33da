// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import java.io.File;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/** Waits until a process has closed what it is about to close. */
final class OpenDescriptors {
  private static final long LOOK_AGAIN_NANOS = 50_000_000L;

  /** A guest that is busy opens and closes all the time. */
  private static final int MOST_LOOKS = 40;

  private OpenDescriptors() {}

  /**
   * Waits until two looks find the same numbers, or not much longer. QEMU frees what a device held
   * when no thread can be using it any more, after it has told that the device is gone.
   */
  static void awaitRest(int pid) {
    String before = numbers(pid);
    for (int i = 0; i < MOST_LOOKS; i++) {
      LockSupport.parkNanos(LOOK_AGAIN_NANOS);
      String now = numbers(pid);
      if (now.equals(before)) {
        return;
      }
      before = now;
    }
  }

  private static String numbers(int pid) {
    String[] names = new File("/proc/" + pid + "/fd").list();
    if (names == null) {
      return "";
    }
    Arrays.sort(names);
    return String.join(" ", names);
  }
}
