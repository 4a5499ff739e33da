// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.remote.Nr;

/**
 * Gives the tracer thread the processor while a target stands still: on a busy machine, being
 * scheduled is the longest part of a pause. Without the privilege (CAP_SYS_NICE) nothing changes.
 */
final class PausePriority implements AutoCloseable {
  private static final int SETPRIORITY = 141;
  private static final int PR_SET_TIMERSLACK = 29;

  /** A sleep of 20 microseconds takes 70 with the usual slack, 50 microseconds. */
  private static final long SLACK_NANOS = 1;

  private static final int PRIO_PROCESS = 0;
  private static final int MOST_URGENT = -20;
  private static final int USUAL = 0;

  private final CompilerThreads compilers = new CompilerThreads();
  private boolean raised;

  /** Raises the priority of the calling thread, and lets it sleep as shortly as it wants. */
  void raise() {
    Sys.tryCall(Nr.PRCTL, PR_SET_TIMERSLACK, SLACK_NANOS, 0);
    if (!raised && set(0, MOST_URGENT)) {
      raised = true;
      compilers.giveWay();
    }
  }

  /** Makes a task of ours as urgent as the tracer thread is in a pause. */
  static void raise(int tid) {
    set(tid, MOST_URGENT);
  }

  private static boolean set(int tid, int priority) {
    return Sys.tryCall(SETPRIORITY, PRIO_PROCESS, tid, priority) == 0;
  }

  /** Puts it back; on the same thread. */
  @Override
  public void close() {
    if (raised) {
      raised = false;
      compilers.goOn();
      set(0, USUAL);
    }
    // 0 is what the thread was made with.
    Sys.tryCall(Nr.PRCTL, PR_SET_TIMERSLACK, 0, 0);
  }
}
