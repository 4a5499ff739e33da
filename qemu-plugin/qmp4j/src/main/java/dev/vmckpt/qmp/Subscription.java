// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

/** Somebody who is told of events, until it is closed. */
public interface Subscription extends AutoCloseable {
  /**
   * Ends it; any number of times, from any thread. A call of the listener that has begun goes on.
   */
  @Override
  void close();
}
