// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * A channel whose other end says what was recorded: some at once, some after a first line, some
 * after all the others; and then hangs up.
 */
final class Playback implements ByteChannel {
  private final Deque<byte[]> parts;
  private final Deque<Integer> lines;
  private ByteBuffer now = ByteBuffer.allocate(0);
  private int heard;
  private boolean closed;

  /**
   * What is said when.
   *
   * @param lines how many lines must have been heard before each part
   */
  Playback(byte[][] parts, Integer... lines) {
    this.parts = new ArrayDeque<>(Arrays.asList(parts));
    this.lines = new ArrayDeque<>(Arrays.asList(lines));
  }

  @Override
  public synchronized int read(ByteBuffer target) {
    try {
      while (!now.hasRemaining() && !parts.isEmpty() && !closed) {
        if (heard >= lines.element()) {
          lines.remove();
          now = ByteBuffer.wrap(parts.remove());
        } else {
          wait();
        }
      }
    } catch (InterruptedException e) {
      closed = true;
    }
    if (closed || !now.hasRemaining()) {
      return -1;
    }
    int count = Math.min(now.remaining(), target.remaining());
    for (int i = 0; i < count; i++) {
      target.put(now.get());
    }
    return count;
  }

  @Override
  public synchronized int write(ByteBuffer source) {
    int count = source.remaining();
    while (source.hasRemaining()) {
      if (source.get() == '\n') {
        heard++;
      }
    }
    notifyAll();
    return count;
  }

  @Override
  public synchronized boolean isOpen() {
    return !closed;
  }

  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
  }
}
