// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;

/**
 * A stopped copy of the target whose memory can be read at leisure. It never runs: it is killed
 * when this is closed, and by the kernel when we die.
 */
public final class ForkedChild implements AutoCloseable {
  private static final int KILL = 62;
  private static final int SIGKILL = 9;

  private final Tracee tracee;
  private final int innerPid;

  ForkedChild(Tracee tracee, int innerPid) {
    this.tracee = tracee;
    this.innerPid = innerPid;
  }

  Tracee tracee() {
    return tracee;
  }

  /** Its number in our pid namespace. */
  public int pid() {
    return tracee.number();
  }

  /** Its number in the target's pid namespace, where it has to be waited for. */
  public int innerPid() {
    return innerPid;
  }

  /**
   * Ends it and takes its exit status as its tracer; its parent still has to take it as its parent.
   */
  @Override
  public void close() {
    Sys.tryCall(KILL, tracee.number(), SIGKILL, 0);
    try {
      while (true) {
        tracee.await();
      }
    } catch (dev.vmckpt.spi.error.TargetGoneException ended) {
      // What was asked for.
    }
  }
}
