// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import dev.vmckpt.spi.error.TargetGoneException;

/** Whether a task still lives. */
public final class Life {
  private Life() {}

  /**
   * Whether a thread has ended: it is gone, or all that is left of it is its exit status.
   *
   * @param pid its process; the thread of that number for the process itself
   */
  public static boolean hasEnded(int pid, int tid) {
    try {
      char state = ProcStat.parse(ProcFs.read(ProcFs.of(pid, "task/" + tid + "/stat"))).state();
      return state == 'Z' || state == 'X';
    } catch (TargetGoneException gone) {
      return true;
    }
  }
}
