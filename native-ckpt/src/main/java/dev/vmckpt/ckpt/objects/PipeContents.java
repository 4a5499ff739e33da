// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import java.util.ArrayList;
import java.util.List;

/** What waits in a pipe: looked at by tee(2), which consumes nothing, and written again. */
final class PipeContents {
  private static final int O_NONBLOCK = 04000;
  private static final int MOST = 0x7fffffff;

  private PipeContents() {}

  /**
   * Reads what waits.
   *
   * @param capacity of the pipe, in bytes
   * @return packet by packet; of a pipe that is not in packet mode, in one piece
   */
  static List<byte[]> peek(OwnFd readingEnd, int capacity, String name) {
    long unread = FileCalls.tryUnread(readingEnd.number());
    if (unread <= 0) {
      return List.of();
    }
    OwnFd[] copy = FileCalls.pipe(O_NONBLOCK);
    try (OwnFd out = copy[0];
        OwnFd in = copy[1]) {
      // As many slots as the pipe has: a packet of one byte takes a whole one.
      FileCalls.tryFcntl(in.number(), FileCalls.F_SETPIPE_SZ, capacity);
      long teed = Sys.check("tee", name, FileCalls.tryTee(readingEnd.number(), in.number(), MOST));
      List<byte[]> pieces = new ArrayList<>();
      NativeBuffer buffer = new NativeBuffer((int) Math.max(1, teed));
      while (teed > 0) {
        long length =
            Sys.check("read", "a copy of " + name, FileCalls.tryRead(out.number(), buffer));
        if (length == 0) {
          break;
        }
        pieces.add(buffer.copy(0, (int) length));
        teed -= length;
      }
      return List.copyOf(pieces);
    }
  }

  /** Writes pieces into a pipe that has room for them. */
  static void write(OwnFd writingEnd, List<byte[]> pieces, String name) {
    for (byte[] piece : pieces) {
      NativeBuffer buffer = NativeBuffer.ofBytes(piece);
      long written = FileCalls.tryWrite(writingEnd.number(), buffer, piece.length);
      if (written != piece.length) {
        Sys.check("write", "contents of " + name, written < 0 ? written : -Errno.EAGAIN);
      }
    }
  }
}
