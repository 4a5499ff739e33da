// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/** Watches the system calls of threads that run on for a while. */
public interface CallWatch {
  /** A thread is about to make a call. */
  Interest entering(ThreadCall call);

  /** A call that was of interest has returned. */
  Next left(ThreadCall call);

  /** Whether nothing more is waited for. */
  boolean content();

  /** What a call that is about to be made means to the watch. */
  enum Interest {
    /** Nothing. */
    NONE,
    /** {@link #left} is told when the thread is back from it. */
    WATCH,
    /** The same, and the call is interrupted at once, as if by a signal. */
    CUT_SHORT
  }

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
