// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.Vmckpt.Run;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A Linux guest on QEMU's user network: the host calls it by a forwarded port, and it calls the
 * host.
 */
class UserNetworkTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void forwardedPortsListenAgainAndConnectionsOfTheGuestEnd() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Path serial = folder.resolve("serial");
    int forwarded = Machine.freePort();
    try (ServerSocketChannel host = bind(0)) {
      int port = ((InetSocketAddress) host.getLocalAddress()).getPort();
      List<String> options =
          new ArrayList<>(Machine.linux(serial, "vmckpt.listen=7", "vmckpt.dial=10.0.2.2:" + port));
      options.addAll(List.of("-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:" + forwarded + "-:7"));
      try (Machine machine = Machine.boot(vmckpt, folder, options.toArray(new String[0]))) {
        try (SocketChannel call = host.accept()) {
          say(call, "one\n");
          awaitWords(serial, 0, "heard one");
          awaitHello(forwarded);
          machine.saveAndKill("base");
          assertThat(Talk.hungUp(call)).isTrue();
        }
        long mark = Files.size(serial);
        try (ServerSocketChannel taken = bind(forwarded)) {
          Run refused = vmckpt.fails(3, "restore", "base");
          assertThat(refused.err()).contains("127.0.0.1:" + forwarded);
          int other = Machine.freePort();
          machine.restore("base", "--reattach", Machine.movable(refused) + "=" + other);
          awaitHello(other);
          // The guest's call has ended for it, too; it calls again.
          awaitWords(serial, mark, "hung up");
          try (SocketChannel call = host.accept()) {
            say(call, "two\n");
            awaitWords(serial, mark, "heard two");
          }
          machine.kill();
          assertThat(taken.isOpen()).isTrue();
        }
        machine.restore("base");
        awaitHello(forwarded);
      }
    }
  }

  private static ServerSocketChannel bind(int port) throws IOException {
    return ServerSocketChannel.open()
        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
  }

  /** QEMU takes a call before the guest does, and hangs up when the guest does not. */
  private static void awaitHello(int port) {
    Health.await(
        "the guest's hello at port " + port,
        () -> {
          try (SocketChannel call = Machine.connect(port)) {
            return Talk.hear(call, "hello").contains("hello");
          }
        });
  }

  private static void say(SocketChannel call, String text) throws IOException {
    call.write(StandardCharsets.UTF_8.encode(text));
  }

  private static void awaitWords(Path serial, long mark, String words) {
    Health.await(
        words,
        () ->
            Files.readString(serial, StandardCharsets.ISO_8859_1)
                .substring((int) mark)
                .contains(words));
  }
}
