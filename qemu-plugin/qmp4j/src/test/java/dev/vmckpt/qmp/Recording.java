// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;

/** A channel that keeps what comes through it. */
final class Recording implements ByteChannel {
  private final SocketChannel inner;
  private final ByteArrayOutputStream kept = new ByteArrayOutputStream();

  Recording(SocketChannel inner) {
    this.inner = inner;
  }

  /** What the other end said since the last call. */
  synchronized byte[] take() {
    byte[] all = kept.toByteArray();
    kept.reset();
    return all;
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    int from = target.position();
    int got = inner.read(target);
    synchronized (this) {
      for (int i = 0; i < got; i++) {
        kept.write(target.get(from + i));
      }
    }
    return got;
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    return inner.write(source);
  }

  @Override
  public boolean isOpen() {
    return inner.isOpen();
  }

  @Override
  public void close() throws IOException {
    inner.close();
  }
}
