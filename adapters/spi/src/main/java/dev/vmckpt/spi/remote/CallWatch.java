// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/** Watches the system calls of threads that run on for a while. */
public interface CallWatch {
  /**
   * A thread is about to make a call.
   *
   * @return whether to tell {@link #left} when it is back from it
   */
  boolean entering(ThreadCall call);

  /** A call that was of interest has returned. */
  Next left(ThreadCall call);

  /** Whether nothing more is waited for. */
  boolean content();

  /** How a thread goes on. */
  enum Next {
    /** It runs on. */
    RUN,
    /** It stays, with the result of its call. */
    HOLD,
    /** It stays, and makes the same call anew when it goes on. */
    HOLD_AND_REPEAT
  }
}
