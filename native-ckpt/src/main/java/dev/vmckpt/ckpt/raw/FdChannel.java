// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.Nr;
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
      long got = retried(Nr.READ, in, most);
      into.put(in.copy(0, (int) got));
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
      long put = retried(Nr.WRITE, out, some);
      from.position(from.position() + (int) put);
      return (int) put;
    } finally {
      writing.unlock();
    }
  }

  private long retried(int call, NativeBuffer buffer, int length) throws IOException {
    while (true) {
      if (!open.get()) {
        throw new ClosedChannelException();
      }
      // As a socket, so that a peer that hung up is an error and no SIGPIPE.
      long result =
          call == Nr.READ
              ? SocketCalls.tryReceive(fd.number(), buffer, length, 0)
              : SocketCalls.trySend(fd.number(), buffer, 0, length, SocketCalls.MSG_NOSIGNAL);
      if (result >= 0) {
        return result;
      }
      if (result != -Errno.EINTR) {
        throw new IOException(Errno.describe((int) -result));
      }
    }
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
