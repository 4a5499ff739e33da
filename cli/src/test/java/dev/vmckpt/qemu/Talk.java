// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** What comes over a connection, as text. */
final class Talk {
  private static final long PATIENCE_NANOS = 60_000_000_000L;

  private Talk() {}

  /** A connection to a listening UNIX socket. */
  static SocketChannel connect(Path path) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(path));
    return channel;
  }

  /** Reads until a word has come. */
  static String hear(SocketChannel channel, String word) throws IOException {
    channel.configureBlocking(false);
    StringBuilder heard = new StringBuilder();
    ByteBuffer buffer = ByteBuffer.allocate(4096);
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (heard.indexOf(word) < 0) {
      int got = channel.read(buffer.clear());
      if (got < 0) {
        throw new IOException("hung up instead of " + word + ", after: " + heard);
      }
      heard.append(new String(buffer.array(), 0, got, StandardCharsets.UTF_8));
      if (System.nanoTime() > deadline) {
        throw new InterruptedIOException("no " + word + ", only: " + heard);
      }
      try {
        Thread.sleep(got == 0 ? 5 : 0);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException();
      }
    }
    return heard.toString();
  }

  /** Whether the other end hangs up on us. */
  static boolean hungUp(SocketChannel channel) throws IOException {
    try {
      hear(channel, "words that nobody says");
      return false;
    } catch (InterruptedIOException silent) {
      return false;
    } catch (IOException end) {
      return true;
    }
  }
}
