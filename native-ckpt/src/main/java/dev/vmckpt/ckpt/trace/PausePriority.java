// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;

/**
 * Gives the tracer thread the processor while a target stands still: on a busy machine, being
 * scheduled is the longest part of a pause. Without the privilege (CAP_SYS_NICE) nothing changes.
 */
final class PausePriority implements AutoCloseable {
  private static final int SETPRIORITY = 141;
  private static final int PRIO_PROCESS = 0;
  private static final int MOST_URGENT = -20;
  private static final int USUAL = 0;

  private final boolean raised;

  /** Raises the priority of the calling thread. */
  PausePriority() {
    raised = Sys.tryCall(SETPRIORITY, PRIO_PROCESS, 0, MOST_URGENT) == 0;
  }

  /** Puts it back; on the same thread. */
  @Override
  public void close() {
    if (raised) {
      Sys.tryCall(SETPRIORITY, PRIO_PROCESS, 0, USUAL);
    }
  }
}
