// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.remote.Nr;

/** A descriptor of our own process; closing this closes it. */
public final class OwnFd implements AutoCloseable {
  private int number;

  /** Takes over {@code number}, as a system call returned it. */
  public OwnFd(long number) {
    this.number = (int) number;
  }

  /** The number in our table. */
  public int number() {
    if (number < 0) {
      throw new IllegalStateException("closed");
    }
    return number;
  }

  @Override
  public void close() {
    if (number >= 0) {
      Sys.tryCall(Nr.CLOSE, number, 0, 0);
      number = -1;
    }
  }
}
