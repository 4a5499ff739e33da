// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.time.Duration;

/**
 * How a connection is made and behaves.
 *
 * @param timeout for the connection until it is ready for commands, and for every later wait that
 *     is not given a time of its own; more than zero
 * @param limits what a message of the other end may cost
 * @param outOfBand whether out-of-band execution is enabled where the server offers it
 */
public record QmpOptions(Duration timeout, Limits limits, boolean outOfBand) {
  /** Thirty seconds, the limits of QEMU itself, out-of-band execution enabled. */
  public static final QmpOptions DEFAULT =
      new QmpOptions(Duration.ofSeconds(30), Limits.QEMU, true);

  /**
   * Checks the range.
   *
   * @throws IllegalArgumentException if the timeout is zero or less
   */
  public QmpOptions {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("a timeout of " + timeout);
    }
  }

  /** These with another timeout. */
  public QmpOptions withTimeout(Duration other) {
    return new QmpOptions(other, limits, outOfBand);
  }

  /** These with other limits. */
  public QmpOptions withLimits(Limits other) {
    return new QmpOptions(timeout, other, outOfBand);
  }

  /** These without out-of-band execution. */
  public QmpOptions withoutOutOfBand() {
    return new QmpOptions(timeout, limits, false);
  }
}
