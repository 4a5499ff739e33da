// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

/**
 * What a message of the other end may cost at most; one beyond it is a {@link
 * QmpProtocolException}.
 *
 * @param messageBytes of one message, 1 or more
 * @param depth of objects and arrays within each other, 1 or more
 * @param tokens of one message: names, values, opening and closing brackets, 1 or more. A token
 *     takes about a hundred bytes of heap.
 */
public record Limits(int messageBytes, int depth, int tokens) {
  /** What QEMU allows its own clients (qobject/json-streamer.c): 64 MiB, 1024, 2 Mi. */
  public static final Limits QEMU = new Limits(64 << 20, 1 << 10, 2 << 20);

  /**
   * Checks the ranges.
   *
   * @throws IllegalArgumentException if one is 0 or less
   */
  public Limits {
    if (messageBytes <= 0 || depth <= 0 || tokens <= 0) {
      throw new IllegalArgumentException(
          "limits of " + messageBytes + " bytes, depth " + depth + ", " + tokens + " tokens");
    }
  }
}
