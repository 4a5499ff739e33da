// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.nio.channels.ByteChannel;
import java.util.List;

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
   * @param again after how many seconds each to say it once more: for what the other end does in
   *     several steps; empty for once
   */
  void setLastWords(String line, String until, List<Integer> again);

  /** Closes it; nothing is said any more. */
  @Override
  void close();
}
