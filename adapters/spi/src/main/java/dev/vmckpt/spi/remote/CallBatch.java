// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/**
 * System calls that are made in a task in one go, in the order they were added. Arguments that lie
 * in memory are placed first; what calls write is read when they were run.
 */
public interface CallBatch {
  /** How many bytes arguments and results may take, at least. */
  int ROOM_BYTES = 256 << 10;

  /** How many calls it holds, at least. */
  int CALLS = 1024;

  /** Copies an argument over there; at a multiple of 16, there until the next batch is begun. */
  RemoteAddress place(byte[] argument);

  /** A place of that many zero bytes for a result; at a multiple of 16. */
  RemoteAddress reserve(int bytes);

  /**
   * Adds a call that must succeed.
   *
   * @param name the name of the call, for the message
   * @param subject what it is about, for the message
   * @return its index
   */
  int call(String name, String subject, int number, long... arguments);

  /** Adds a call that may fail; its index. */
  int tryCall(int number, long... arguments);

  /**
   * Adds a call that is made only if the one before it returned 0, else its result is minus
   * ECANCELED: what undoes a call, or is undone by it, is then left out together with it.
   *
   * @return its index
   * @throws IllegalStateException if it is the first
   */
  int tryCallIfZero(int number, long... arguments);

  /**
   * Begins to make them, and does not wait: {@link #run} does. Whatever else the task is asked for
   * waits for their end first. They must not be calls that block, and must have ended before a
   * frozen target goes on.
   */
  void start();

  /**
   * Makes all of them, or waits for the end of those that were started; a failure does not keep
   * those behind it from being made.
   *
   * @throws dev.vmckpt.spi.error.SyscallException for the first that had to succeed and did not
   */
  void run();

  /**
   * The same for calls that must not be left half done: they are all made even if we die meanwhile,
   * and the task ends behind them. So there should be few, and quick ones.
   */
  void runThrough();

  /** What a call returned: a result, or minus the errno. */
  long result(int index);

  /** What lies at a place now. */
  byte[] read(RemoteAddress from, int length);
}
