// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/** The other end of a connection, which says what it is told to, byte for byte. */
final class HostilePeer implements AutoCloseable {
  private static final String GREETING =
      "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 9},"
          + " \"package\": \"\"}, \"capabilities\": []}}\r\n";

  private final SocketChannel channel;

  private HostilePeer(SocketChannel channel) {
    this.channel = channel;
  }

  /** The next client that connects. */
  static HostilePeer to(ServerSocketChannel listening) throws IOException {
    return new HostilePeer(listening.accept());
  }

  /** Greets, and hears what capabilities are wanted. */
  HostilePeer greet() throws IOException {
    say(GREETING);
    hear();
    return this;
  }

  /** Greets, and agrees. */
  HostilePeer negotiate() throws IOException {
    greet();
    say("{\"return\": {}, \"id\": 1}\r\n");
    return this;
  }

  /** Says bytes, one for each letter. */
  void say(String words) throws IOException {
    ByteBuffer rest = ByteBuffer.wrap(words.getBytes(StandardCharsets.ISO_8859_1));
    while (rest.hasRemaining()) {
      channel.write(rest);
    }
  }

  /** Hears until what came ends with a line. */
  String hear() throws IOException {
    StringBuilder words = new StringBuilder();
    byte[] bytes = new byte[100_000];
    while (words.isEmpty() || words.charAt(words.length() - 1) != '\n') {
      int got = channel.read(ByteBuffer.wrap(bytes));
      if (got < 0) {
        throw new IOException("hung up after " + words);
      }
      words.append(new String(bytes, 0, got, StandardCharsets.ISO_8859_1));
    }
    return words.toString();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
