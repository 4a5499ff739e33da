// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU's screens: VNC on a port and on a path, SPICE on a port, each with a client that speaks. */
class ScreensTest {
  private static final int FIRST_DISPLAY = 5900;

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void vncIsThereAgainAndMayMove() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    int port = displayPort();
    Path path = folder.resolve("vnc");
    try (Machine machine =
        Machine.boot(
            vmckpt,
            folder,
            "-device",
            "VGA",
            "-vnc",
            "127.0.0.1:" + (port - FIRST_DISPLAY),
            "-vnc",
            "unix:" + path)) {
      try (SocketChannel onPort = Machine.connect(port);
          SocketChannel onPath = Talk.connect(path)) {
        assertThat(pixels(onPort)).isPositive();
        assertThat(pixels(onPath)).isPositive();
        machine.saveAndKill("base");
        assertThat(Talk.hungUp(onPort)).isTrue();
        assertThat(Talk.hungUp(onPath)).isTrue();
      }
      try (ServerSocketChannel taken =
          ServerSocketChannel.open()
              .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))) {
        Run refused = vmckpt.fails(3, "restore", "base");
        assertThat(refused.err()).contains("127.0.0.1:" + port);
        int other = Machine.freePort();
        machine.restore("base", "--reattach", Machine.movable(refused) + "=" + other);
        try (SocketChannel moved = Machine.connect(other)) {
          assertThat(pixels(moved)).isPositive();
        }
        machine.kill();
        assertThat(taken.isOpen()).isTrue();
      }
      Run restored = machine.restore("base");
      assertThat(restored.text("notes")).contains("hung up");
      try (SocketChannel onPort = Machine.connect(port);
          SocketChannel onPath = Talk.connect(path)) {
        assertThat(pixels(onPort)).isPositive();
        assertThat(pixels(onPath)).isPositive();
      }
    }
  }

  @Test
  void spiceIsThereAgain() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    int port = Machine.freePort();
    try (Machine machine =
        Machine.boot(
            vmckpt,
            folder,
            "-device",
            "VGA",
            "-spice",
            "addr=127.0.0.1,disable-ticketing=on,port=" + port)) {
      try (SocketChannel client = Machine.connect(port)) {
        assertThat(spiceLink(client)).isZero();
        machine.saveAndKill("base");
        assertThat(Talk.hungUp(client)).isTrue();
      }
      machine.restore("base");
      try (SocketChannel client = Machine.connect(port)) {
        assertThat(spiceLink(client)).isZero();
      }
    }
  }

  /** The first message of SPICE's main channel, and the error code in the server's answer. */
  private static int spiceLink(SocketChannel client) throws IOException {
    ByteBuffer link = ByteBuffer.allocate(16 + 26).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    link.put("REDQ".getBytes(StandardCharsets.US_ASCII)).putInt(2).putInt(2).putInt(26);
    // A new connection, the main channel, one word of common capabilities (authentication), none of
    // the channel's.
    link.putInt(0).put((byte) 1).put((byte) 0).putInt(1).putInt(0).putInt(18).putInt(1).putInt(0);
    client.write(link.flip());
    ByteBuffer answer = read(client, 20).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    assertThat(text(answer).substring(0, 4)).isEqualTo("REDQ");
    return answer.getInt(16);
  }

  /** The handshake of RFB 3.8 without authentication, and an update in raw encoding: its pixels. */
  private static int pixels(SocketChannel client) throws IOException {
    assertThat(text(read(client, 12))).startsWith("RFB 003.008");
    send(client, "RFB 003.008\n".getBytes(StandardCharsets.US_ASCII));
    int types = read(client, 1).get(0);
    assertThat(bytes(read(client, types))).contains(1);
    send(client, new byte[] {1});
    assertThat(read(client, 4).getInt()).isZero();
    send(client, new byte[] {1});
    ByteBuffer init = read(client, 24);
    read(client, init.getInt(20));
    send(client, new byte[] {2, 0, 0, 1, 0, 0, 0, 0});
    send(client, new byte[] {3, 0, 0, 0, 0, 0, 0, 64, 0, 16});
    assertThat(read(client, 4).get(0)).as("FramebufferUpdate").isZero();
    ByteBuffer first = read(client, 12);
    assertThat(first.getInt(8)).as("raw encoding").isZero();
    int pixels = first.getShort(4) * first.getShort(6);
    return read(client, pixels * init.get(4) / 8).limit() / (init.get(4) / 8);
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.limit()];
    buffer.get(0, bytes);
    return bytes;
  }

  private static String text(ByteBuffer bytes) {
    return new String(bytes(bytes), StandardCharsets.US_ASCII);
  }

  private static void send(SocketChannel client, byte[] bytes) throws IOException {
    client.write(ByteBuffer.wrap(bytes));
  }

  private static ByteBuffer read(SocketChannel client, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    client.configureBlocking(false);
    Health.await(
        bytes + " bytes",
        () -> {
          if (client.read(buffer) < 0) {
            throw new AssertionError("hung up after " + buffer.position() + " bytes");
          }
          return !buffer.hasRemaining();
        });
    return buffer.flip();
  }

  private static int displayPort() throws IOException {
    for (int port = FIRST_DISPLAY + 200; port < FIRST_DISPLAY + 1000; port++) {
      try (ServerSocketChannel free = ServerSocketChannel.open()) {
        free.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        return port;
      } catch (IOException taken) {
        // The next one.
      }
    }
    throw new IOException("no free port");
  }
}
