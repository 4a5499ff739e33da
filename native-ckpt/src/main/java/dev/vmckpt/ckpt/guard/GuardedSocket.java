// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.guard;

import dev.vmckpt.ckpt.raw.FdChannel;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.remote.Nr;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * A connected socket that a guard has as well: a {@link Shell} that reads what its last words would
 * be from a pipe. When we die the pipe ends, and the guard says them.
 */
public final class GuardedSocket extends FdChannel implements GuardedChannel {
  /** What the guard does; all but the sleep a shell does by itself. 3 is the pipe, 4 the socket. */
  private static final String SCRIPT =
      """
      exec </dev/null >/dev/null 2>&1
      words=
      while IFS= read -r a <&3 && IFS= read -r b <&3 && IFS= read -r c <&3; do
        words=$a
        until=$b
        waits=$c
      done
      [ -n "$words" ] || exit 0
      for wait in $waits; do
        printf '%s\\n' "$words" >&4
        while IFS= read -r line <&4; do
          case $line in *"$until"*) break ;; esac
        done
        [ "$wait" = 0 ] || sleep "$wait"
      done
      """;

  private static final int SOL_SOCKET = 1;
  private static final int SO_SNDTIMEO = 21;

  private final Shell guard;
  private boolean open = true;

  private GuardedSocket(OwnFd socket, Shell guard) {
    super(socket);
    this.guard = guard;
  }

  /**
   * Connects.
   *
   * @param timeout how long to wait for the connection to be taken
   * @throws dev.vmckpt.spi.error.SyscallException if there is nobody, or not in time
   */
  public static GuardedSocket connect(SocketAddress address, Duration timeout) {
    byte[] place = Addresses.of(address);
    OwnFd socket =
        new OwnFd(
            Sys.check(
                "socket",
                address.toString(),
                SocketCalls.trySocket(place[0] & 0xff, SocketCalls.SOCK_STREAM, 0)));
    try {
      NativeBuffer time = new NativeBuffer(2 * Long.BYTES);
      time.bytes().putLong(0, timeout.toSeconds()).putLong(8, timeout.toNanosPart() / 1000);
      SocketCalls.trySetOption(
          socket.number(), SOL_SOCKET, SO_SNDTIMEO, time.copy(0, 2 * Long.BYTES));
      NativeBuffer where = NativeBuffer.ofBytes(place);
      Sys.call(
          "connect",
          address.toString(),
          Nr.CONNECT,
          socket.number(),
          where.address(),
          place.length);
      SocketCalls.trySetOption(socket.number(), SOL_SOCKET, SO_SNDTIMEO, new byte[2 * Long.BYTES]);
      return over(socket);
    } catch (RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  /**
   * Gives a connected stream socket a guard.
   *
   * @param socket closed with this, not if there comes to be none
   */
  public static GuardedSocket over(OwnFd socket) {
    return new GuardedSocket(socket, Shell.start(SCRIPT, socket));
  }

  @Override
  public void setLastWords(String line, String until, List<Integer> again) {
    if (line.indexOf('\n') >= 0 || until.indexOf('\n') >= 0) {
      throw new IllegalArgumentException("more than one line");
    }
    StringBuilder waits = new StringBuilder();
    for (int i = 0; i < again.size(); i++) {
      waits.append(again.get(i)).append(' ');
    }
    guard.tell(line + "\n" + until + "\n" + waits + "0\n");
  }

  /** Nothing is said any more: not even what {@link #setLastWords} had asked for. */
  @Override
  public void close() {
    if (open) {
      open = false;
      try {
        setLastWords("", "", List.of());
      } finally {
        super.close();
        guard.close();
      }
    }
  }
}
