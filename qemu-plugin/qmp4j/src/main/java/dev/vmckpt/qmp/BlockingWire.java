// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * Channels that no selector takes, such as those of a terminal or a virtio port: read by the thread
 * that runs the wire, written by a second one.
 */
final class BlockingWire implements Wire {
  private static final int BUFFER_BYTES = 64 << 10;
  private static final long ENDING_MILLIS = 2_000;

  private final ReadableByteChannel in;
  private final WritableByteChannel out;
  private final Object lock = new Object();
  private boolean woken;
  private boolean closed;
  private @Nullable IOException notWritten;

  BlockingWire(ReadableByteChannel in, WritableByteChannel out) {
    this.in = in;
    this.out = out;
  }

  @Override
  public void connect() {}

  @Override
  public void run(User user) throws IOException {
    Thread writer = new Thread(() -> write(user), Thread.currentThread().getName() + " writer");
    writer.setDaemon(true);
    writer.start();
    try {
      ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
      while (!isClosed()) {
        int got = in.read(buffer.clear());
        if (got < 0) {
          return;
        }
        user.received(buffer.array(), got);
        // An answer makes room for the next command.
        wake();
        // A listener may have left its thread interrupted, and the next read would close.
        Thread.interrupted();
      }
    } catch (IOException e) {
      throwUnlessClosed(e);
    } finally {
      close();
      awaitEnd(writer);
    }
  }

  /** So that whoever waits for the reader has waited for both. */
  private static void awaitEnd(Thread writer) {
    try {
      writer.join(ENDING_MILLIS);
    } catch (InterruptedException e) {
      // This thread ends as well.
    }
  }

  private void write(User user) {
    try {
      while (awaitWork()) {
        for (byte[] next = user.toSend(); next != null; next = user.toSend()) {
          ByteBuffer rest = ByteBuffer.wrap(next);
          while (rest.hasRemaining()) {
            out.write(rest);
          }
        }
      }
    } catch (IOException | RuntimeException e) {
      synchronized (lock) {
        notWritten = closed ? null : e instanceof IOException io ? io : new IOException(e);
      }
      // Wakes the reader, who tells.
      close();
    }
  }

  private void throwUnlessClosed(IOException read) throws IOException {
    synchronized (lock) {
      if (notWritten != null) {
        throw notWritten;
      }
      if (!closed) {
        throw read;
      }
    }
  }

  /** Waits until there may be something to send; returns false when closed. */
  private boolean awaitWork() {
    synchronized (lock) {
      while (!woken && !closed) {
        try {
          lock.wait();
        } catch (InterruptedException e) {
          // Nobody has a reason to interrupt this thread; close() ends it.
        }
      }
      woken = false;
      return !closed;
    }
  }

  private boolean isClosed() {
    synchronized (lock) {
      return closed;
    }
  }

  @Override
  public void wake() {
    synchronized (lock) {
      woken = true;
      lock.notifyAll();
    }
  }

  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      lock.notifyAll();
    }
    shut(in);
    shut(out);
  }

  private static void shut(Channel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      // Nothing is left to be done with it.
    }
  }
}
