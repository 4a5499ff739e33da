// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.RemoteTask;
import dev.vmckpt.spi.remote.ThreadCall;
import java.util.List;

/** What an adapter may use while it brings threads of a frozen target to a better place. */
public interface SettleContext {
  /** Where each thread stands; those in no system call have {@link ThreadCall#NONE} as number. */
  List<ThreadCall> threads();

  /** The task that {@link DetachContext#lodger} gave. */
  RemoteTask lodger();

  /**
   * The text of {@code /proc/PID/maps}, without areas of ours, read before the target was stopped.
   * If it is another one by now, the snapshot is begun anew as soon as all have settled.
   */
  String maps();

  /** Whether an adapter has brought the guest to rest, see {@link Detachment#guestRests}. */
  boolean guestRests();

  /**
   * Lets all threads run on, except those that {@code watch} holds, until it is content or time is
   * up; then all are stopped again.
   *
   * @param held threads that stay where they are
   * @param limitMillis how long at most
   * @return whether the watch was content in time
   */
  boolean advance(List<ThreadCall> held, CallWatch watch, long limitMillis);
}
