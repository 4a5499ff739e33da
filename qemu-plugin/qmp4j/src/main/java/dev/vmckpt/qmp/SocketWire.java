// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A socket, read and written by one thread. Callers never touch the channel: an interrupt of a
 * thread within a blocking operation would close it.
 */
final class SocketWire implements Wire {
  private static final int BUFFER_BYTES = 64 << 10;

  private final SocketChannel channel;
  private final @Nullable SocketAddress address;
  private final byte[] bytes = new byte[BUFFER_BYTES];
  private final ByteBuffer in = ByteBuffer.wrap(bytes);
  private volatile @Nullable Selector selector;
  private volatile boolean closed;

  private SocketWire(SocketChannel channel, @Nullable SocketAddress address) {
    this.channel = channel;
    this.address = address;
  }

  static Wire to(SocketChannel unconnected, SocketAddress address) {
    return new SocketWire(unconnected, address);
  }

  static Wire over(SocketChannel connected) {
    return new SocketWire(connected, null);
  }

  @Override
  public void connect() throws IOException {
    if (address != null) {
      channel.connect(address);
    }
    if (channel.supportedOptions().contains(StandardSocketOptions.TCP_NODELAY)) {
      channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    }
  }

  @Override
  public void run(User user) throws IOException {
    try (Selector opened = channel.provider().openSelector()) {
      // From here on a wake-up is not lost; what was submitted before is asked for below.
      selector = opened;
      channel.configureBlocking(false);
      SelectionKey key = channel.register(opened, SelectionKey.OP_READ);
      ByteBuffer out = null;
      while (!closed) {
        try {
          out = send(user, out);
        } catch (IOException e) {
          // The last answers may still lie in the socket of a server that has ended.
          drain(user);
          throw e;
        }
        int interest =
            out == null ? SelectionKey.OP_READ : SelectionKey.OP_READ | SelectionKey.OP_WRITE;
        if (key.interestOps() != interest) {
          key.interestOps(interest);
        }
        opened.select();
        if (!receive(user)) {
          return;
        }
        // A listener may have left its thread interrupted, and no select would wait any more.
        Thread.interrupted();
      }
    } catch (ClosedChannelException | CancelledKeyException e) {
      if (!closed) {
        throw e;
      }
    } finally {
      close();
    }
  }

  /** Sends as much as goes; returns what is left of the message that is being sent. */
  private @Nullable ByteBuffer send(User user, @Nullable ByteBuffer rest) throws IOException {
    ByteBuffer now = rest;
    while (true) {
      if (now == null) {
        byte[] next = user.toSend();
        if (next == null) {
          return null;
        }
        now = ByteBuffer.wrap(next);
      }
      channel.write(now);
      if (now.hasRemaining()) {
        return now;
      }
      now = null;
    }
  }

  /** Receives what is there; returns false when the other end has hung up. */
  private boolean receive(User user) throws IOException {
    int got = channel.read(in.clear());
    if (got > 0) {
      user.received(bytes, got);
    }
    return got >= 0;
  }

  private void drain(User user) throws IOException {
    int got = channel.read(in.clear());
    while (got > 0 && !closed) {
      user.received(bytes, got);
      got = channel.read(in.clear());
    }
  }

  @Override
  public void wake() {
    Selector now = selector;
    if (now != null) {
      now.wakeup();
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      channel.close();
    } catch (IOException e) {
      // Nothing is left to be done with it.
    }
    wake();
  }
}
