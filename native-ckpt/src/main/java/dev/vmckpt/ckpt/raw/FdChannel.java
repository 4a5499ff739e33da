// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A connected stream socket of ours as a channel. Reading and writing block, and may be done by two
 * threads at a time; closing it ends both, also what other processes have of the same connection.
 */
public class FdChannel implements ByteChannel {
  private static final int SHUTDOWN = 48;
  private static final int SHUT_RDWR = 2;
  private static final int PIECE = 16 << 10;

  private final OwnFd fd;
  private final AtomicBoolean open = new AtomicBoolean(true);
  private final ReentrantLock reading = new ReentrantLock();
  private final ReentrantLock writing = new ReentrantLock();
  private final NativeBuffer in = new NativeBuffer(PIECE);
  private final NativeBuffer out = new NativeBuffer(PIECE);

  /**
   * @param fd a stream socket; closed with this
   */
  public FdChannel(OwnFd fd) {
    this.fd = fd;
  }

  @Override
  public int read(ByteBuffer into) throws IOException {
    reading.lock();
    try {
      int most = Math.min(into.remaining(), PIECE);
      long got;
      do {
        got = SocketCalls.tryReceive(number(), in, most, 0);
      } while (got == -Errno.EINTR);
      into.put(in.copy(0, (int) checked(got)));
      return got == 0 && most > 0 ? -1 : (int) got;
    } finally {
      reading.unlock();
    }
  }

  @Override
  public int write(ByteBuffer from) throws IOException {
    writing.lock();
    try {
      int some = Math.min(from.remaining(), PIECE);
      for (int i = 0; i < some; i++) {
        out.bytes().put(i, from.get(from.position() + i));
      }
      long put;
      do {
        // A peer that hung up is to be an error, no SIGPIPE.
        put = SocketCalls.trySend(number(), out, 0, some, SocketCalls.MSG_NOSIGNAL);
      } while (put == -Errno.EINTR);
      from.position(from.position() + (int) checked(put));
      return (int) put;
    } finally {
      writing.unlock();
    }
  }

  private int number() throws ClosedChannelException {
    if (!open.get()) {
      throw new ClosedChannelException();
    }
    return fd.number();
  }

  private static long checked(long result) throws IOException {
    if (result < 0) {
      throw new IOException(Errno.describe((int) -result));
    }
    return result;
  }

  @Override
  public boolean isOpen() {
    return open.get();
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      // Wakes who waits in one of the calls; the number must not be anybody else's before that.
      Sys.tryCall(SHUTDOWN, fd.number(), SHUT_RDWR, 0);
      reading.lock();
      writing.lock();
      try {
        fd.close();
      } finally {
        writing.unlock();
        reading.unlock();
      }
    }
  }
}
