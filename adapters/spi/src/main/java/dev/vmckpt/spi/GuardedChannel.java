// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.nio.channels.ByteChannel;

/**
 * A connection that a process of ours keeps open if we die, to say a last word on it. One thread
 * may read and another write at the same time; closing it ends both.
 */
public interface GuardedChannel extends ByteChannel {
  /**
   * What is to be said from now on if we die.
   *
   * @param line one line of text, without its end; empty for nothing
   * @param until the guard waits for a line that contains this before it hangs up
   * @param thrice whether to say it three times, with seconds in between: for what the other end
   *     does in several steps
   */
  void setLastWords(String line, String until, boolean thrice);

  /** Closes it; nothing is said any more. */
  @Override
  void close();
}
