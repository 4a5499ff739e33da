// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.setup;

import dev.vmckpt.spi.remote.ThreadCall;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/**
 * Hears what processes tell the kernel while they set themselves up, and keeps what the kernel will
 * not tell back. Found by {@link java.util.ServiceLoader}; one instance hears one recording, on one
 * thread, and never after {@link #keep}.
 *
 * <p>Every call it is asked about stands still meanwhile: answers are given in microseconds.
 */
public interface SetupListener {
  /** Its name, for messages. */
  String name();

  /** The numbers of the system calls it wants to hear of, see {@link dev.vmckpt.spi.remote.Nr}. */
  Set<Integer> calls();

  /**
   * A thread is about to make one of these calls.
   *
   * @return whether to tell {@link #left} when it is back from it
   */
  boolean entering(SetupProcess process, ThreadCall call);

  /**
   * A call that was of interest has returned, well or badly; its thread stands still.
   *
   * @param call with the arguments it was made with
   */
  void left(SetupProcess process, ThreadCall call);

  /** A process ended or became another program; its number may come again. */
  void ended(int pid);

  /** Whether there is anything to keep as yet, or to wait for. */
  boolean heard();

  /**
   * Whether nothing more is waited for.
   *
   * @param quiet for how long nothing may have come that would have been kept
   */
  boolean settled(Duration quiet);

  /**
   * Nothing more will be heard: keeps what was.
   *
   * @param settled whether it was settled; else something may be missing
   * @return what was kept, for people
   * @throws dev.vmckpt.spi.error.VmckptException if it cannot be kept
   */
  List<Kept> keep(boolean settled);

  /**
   * Something that was kept.
   *
   * @param pid the process it was heard from
   * @param what what it is, in a few words
   */
  record Kept(int pid, String what) {}
}
