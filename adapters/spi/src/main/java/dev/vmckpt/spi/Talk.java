// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A connection between a husk and us, in place of one that a saved process had with somebody
 * outside.
 *
 * @param theirs the husk's end, parked
 * @param ours the other end, on which somebody has the last word if we die; the caller closes it
 */
public record Talk(RemoteFd theirs, GuardedChannel ours) {
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM_CLOEXEC = 1 | 02000000;

  /**
   * Makes it.
   *
   * @param subject what it is, for messages
   */
  public static Talk begin(ReattachContext context, String subject) {
    RemoteTask husk = context.husk();
    husk.call(
        "socketpair",
        subject,
        Nr.SOCKETPAIR,
        AF_UNIX,
        SOCK_STREAM_CLOEXEC,
        0,
        husk.scratch().value());
    ByteBuffer numbers =
        ByteBuffer.wrap(husk.read(husk.scratch(), 2 * Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    RemoteFd theirs = context.park(new RemoteFd(numbers.getInt(0)));
    RemoteFd other = new RemoteFd(numbers.getInt(Integer.BYTES));
    GuardedChannel ours = context.pull(other);
    husk.call("close", subject, Nr.CLOSE, other.number());
    return new Talk(theirs, ours);
  }
}
