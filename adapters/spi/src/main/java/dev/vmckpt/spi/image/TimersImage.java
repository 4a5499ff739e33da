// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;

/**
 * The timers of a process.
 *
 * @param intervals ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF
 * @param posix timer_create(2), ascending by id
 */
public record TimersImage(List<Interval> intervals, List<Posix> posix) {

  /**
   * setitimer(2), in microseconds; a value of 0 is a timer that is off.
   *
   * @param valueMicros until it goes off
   * @param intervalMicros from then on
   */
  public record Interval(long valueMicros, long intervalMicros) {}

  /**
   * One POSIX timer.
   *
   * @param id the kernel's number of it
   * @param clock CLOCK_*
   * @param notification SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD_ID 4
   * @param signal 1 to 64
   * @param signalValue what the signal carries
   * @param notifyTid the thread told, for SIGEV_THREAD_ID, else 0
   * @param valueNanos until it goes off, 0 when it is off
   * @param intervalNanos from then on
   * @param overrun what timer_getoverrun(2) said
   */
  public record Posix(
      int id,
      int clock,
      int notification,
      int signal,
      RemoteAddress signalValue,
      int notifyTid,
      long valueNanos,
      long intervalNanos,
      int overrun) {}
}
