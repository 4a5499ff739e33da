// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.time.Duration;

/** An instant until which is waited. */
final class Deadline {
  /** A century: long enough, and far from the end of a long. */
  private static final Duration LONGEST = Duration.ofDays(36_500);

  private final Duration duration;
  private final long end;

  private Deadline(Duration duration) {
    this.duration = duration;
    this.end = System.nanoTime() + duration.toNanos();
  }

  /** So long from now; one in the past is now. */
  static Deadline in(Duration duration) {
    if (duration.isNegative()) {
      return new Deadline(Duration.ZERO);
    }
    return new Deadline(duration.compareTo(LONGEST) > 0 ? LONGEST : duration);
  }

  /** What is left, 0 when it is over. */
  long nanos() {
    return Math.max(0, end - System.nanoTime());
  }

  /** What is left. */
  Duration left() {
    return Duration.ofNanos(nanos());
  }

  /** The whole time that was granted, for humans: {@code 2.5 s}. */
  @Override
  public String toString() {
    return duration.toMillis() / 1e3 + " s";
  }
}
