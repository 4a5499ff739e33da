// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kit;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * What tells the processes of one test from those of all others: values of oom_score_adj
 * (proc_pid_oom_score_adj(5)), which children inherit, and what is restored of them has too.
 */
public final class Marks {
  /** From 1 to 998; 0 is everybody's. */
  private static final int MOST = 998;

  private static final AtomicInteger NEXT =
      new AtomicInteger((int) (ProcessHandle.current().pid() % MOST));

  private Marks() {}

  /** One that no other test of this process has: some run side by side. */
  public static int fresh() {
    return 1 + NEXT.getAndIncrement() % MOST;
  }
}
