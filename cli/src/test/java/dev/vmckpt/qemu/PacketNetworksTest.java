// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * QEMU's networks that carry packets over sockets, each on one hub with a user network, whose
 * gateway answers whoever asks for its hardware address.
 */
class PacketNetworksTest {
  private static final byte[] GATEWAY = {10, 0, 2, 2};

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void packetsPassAgain() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    int listening = Machine.freePort();
    InetSocketAddress here = at(0);
    Path path = folder.resolve("stream");
    try (ServerSocketChannel server = ServerSocketChannel.open().bind(here);
        ServerSocketChannel unixServer =
            ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(folder.resolve("peer")));
        DatagramChannel datagrams = DatagramChannel.open().bind(here)) {
      int local = Machine.freePort();
      List<String> options = new ArrayList<>();
      hub(options, "u", "user,id=u");
      hub(options, "sl", "socket,id=sl,listen=127.0.0.1:" + listening);
      hub(options, "sc", "socket,id=sc,connect=127.0.0.1:" + port(server.getLocalAddress()));
      hub(options, "st", "stream,id=st,server=on,addr.type=unix,addr.path=" + path);
      hub(options, "cl", "stream,id=cl,addr.type=unix,addr.path=" + folder.resolve("peer"));
      hub(
          options,
          "dg",
          "dgram,id=dg,local.type=inet,local.host=127.0.0.1,local.port="
              + local
              + ",remote.type=inet,remote.host=127.0.0.1,remote.port="
              + port(datagrams.getLocalAddress()));
      try (Machine machine = Machine.boot(vmckpt, folder, options.toArray(new String[0]))) {
        try (SocketChannel called = server.accept();
            SocketChannel calledUnix = unixServer.accept();
            SocketChannel caller = Machine.connect(listening);
            SocketChannel callerUnix = Talk.connect(path)) {
          assertThat(gateway(called)).isTrue();
          assertThat(gateway(calledUnix)).isTrue();
          assertThat(gateway(caller)).isTrue();
          assertThat(gateway(callerUnix)).isTrue();
          assertThat(gateway(datagrams.connect(at(local)))).isTrue();
          machine.saveAndKill("base");
          assertThat(Talk.hungUp(called)).isTrue();
          assertThat(Talk.hungUp(caller)).isTrue();
        }
        // Those that QEMU called it does not call again by itself: that is for the user to say.
        String toServer = "127.0.0.1:" + port(server.getLocalAddress());
        Run shown = vmckpt.ok("show", "base", "--json");
        machine.restore(
            "base",
            "--reattach",
            descriptor(shown, toServer) + "=" + toServer,
            "--reattach",
            descriptor(shown, "" + folder.resolve("peer")) + "=" + folder.resolve("peer"));
        try (SocketChannel called = server.accept();
            SocketChannel calledUnix = unixServer.accept();
            SocketChannel caller = Machine.connect(listening);
            SocketChannel callerUnix = Talk.connect(path)) {
          assertThat(gateway(called)).isTrue();
          assertThat(gateway(calledUnix)).isTrue();
          assertThat(gateway(caller)).isTrue();
          assertThat(gateway(callerUnix)).isTrue();
          assertThat(gateway(datagrams)).isTrue();
        }
        machine.kill();
        Run without = machine.restore("base");
        assertThat(without.text("notes")).contains(toServer, "hung up");
        try (SocketChannel caller = Machine.connect(listening)) {
          assertThat(gateway(caller)).isTrue();
        }
      }
    }
  }

  private static void hub(List<String> options, String id, String network) {
    options.addAll(
        List.of("-netdev", network, "-netdev", "hubport,hubid=0,id=hub-" + id + ",netdev=" + id));
  }

  private static InetSocketAddress at(int port) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
  }

  private static int port(SocketAddress address) {
    return ((InetSocketAddress) address).getPort();
  }

  /** The descriptor of a snapshot that is connected with an address. */
  private static String descriptor(Run shown, String address) {
    List<?> processes = (List<?>) Objects.requireNonNull(shown.object().get("processes"));
    Map<?, ?> process = (Map<?, ?>) processes.get(0);
    for (Object each : (List<?>) Objects.requireNonNull(process.get("descriptors"))) {
      if (String.valueOf(((Map<?, ?>) each).get("summary")).endsWith(address)) {
        return "fd:" + ((Map<?, ?>) each).get("fd");
      }
    }
    throw new AssertionError(address + " is not in " + shown.out());
  }

  /** Asks for the hardware address of the gateway until it answers; on a stream in frames. */
  private static boolean gateway(ByteChannel channel) throws IOException {
    boolean stream = channel instanceof SocketChannel;
    if (channel instanceof SocketChannel socket) {
      socket.configureBlocking(false);
    } else if (channel instanceof DatagramChannel datagrams) {
      datagrams.configureBlocking(false);
    }
    ByteBuffer request = ByteBuffer.allocate(4 + 42);
    request.putInt(42).put(new byte[] {-1, -1, -1, -1, -1, -1});
    request.put(new byte[] {2, 0, 0, 0, 0, 9}).putShort((short) 0x0806);
    request.putShort((short) 1).putShort((short) 0x0800).put((byte) 6).put((byte) 4);
    request.putShort((short) 1).put(new byte[] {2, 0, 0, 0, 0, 9}).put(new byte[] {10, 0, 2, 99});
    request.put(new byte[6]).put(GATEWAY);
    ByteBuffer heard = ByteBuffer.allocate(65536);
    int[] looks = {0};
    Health.await(
        "the gateway's answer",
        () -> {
          // A packet may come before QEMU has taken the connection to its network.
          if (looks[0]++ % 100 == 0) {
            channel.write(request.rewind().position(stream ? 0 : 4));
          }
          if (!stream) {
            heard.clear();
          }
          if (channel.read(heard) < 0) {
            throw new AssertionError("hung up");
          }
          return isAnswer(heard, stream);
        });
    return true;
  }

  private static boolean isAnswer(ByteBuffer heard, boolean stream) {
    int at = 0;
    while (at + (stream ? 4 : 0) + 42 <= heard.position()) {
      int frame = at + (stream ? 4 : 0);
      boolean arp = heard.getShort(frame + 12) == 0x0806 && heard.getShort(frame + 20) == 2;
      byte[] sender = new byte[4];
      heard.get(frame + 28, sender);
      if (arp && java.util.Arrays.equals(sender, GATEWAY)) {
        return true;
      }
      if (!stream) {
        return false;
      }
      at += 4 + heard.getInt(at);
    }
    return false;
  }
}
