// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

import org.jspecify.annotations.Nullable;

/**
 * A task of our own making that calls can be made in many at a time: the husk a target is rebuilt
 * in, or a lodger, which shares memory and descriptors with a live target. It ends with us.
 */
public interface RemoteTask extends RemoteProcess {
  /** An empty batch; the one before must have been run, and its results are gone. */
  CallBatch batch();

  /**
   * A batch that is filled ahead, while the target runs, so that the pause only has to run it. It
   * has a place of its own for as long as the task lives, so others may be run before it; and when
   * it has run, it is empty.
   *
   * @param calls how many it will hold at most
   * @param bytes how many their arguments will take at most, each rounded up to 16
   * @return null if there is no room left for that: then there is nothing but {@link #batch}
   */
  @Nullable CallBatch tryPrepare(int calls, int bytes);

  /**
   * Makes one call again and again, about half a microsecond over what it costs, until it returns
   * something unusual.
   *
   * @param field the address of a 64-bit number that {@code step} is added to after each call
   * @param count how many calls at most, at least 1
   * @param usual the result to go on at, minus the errno for a failure
   * @return how many calls returned {@code usual}: {@code count} if all did; the field then holds
   *     what the call after them was made with
   */
  long sweep(
      int number, long a, long b, long c, RemoteAddress field, long step, long count, long usual);
}
