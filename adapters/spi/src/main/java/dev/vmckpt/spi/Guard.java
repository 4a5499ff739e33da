// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/** A process of ours that outlives us, and does a last work if we die. */
public interface Guard extends AutoCloseable {
  /**
   * What is to be done from now on if we die.
   *
   * @param script one line for a shell that has no environment, and no input or output; empty for
   *     nothing
   */
  void setLastWork(String script);

  /** Ends it; nothing is done any more. */
  @Override
  void close();
}
