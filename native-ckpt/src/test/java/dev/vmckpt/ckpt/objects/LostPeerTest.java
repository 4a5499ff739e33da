// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.Nr;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LostPeerTest {
  private final ContractKit kit;

  LostPeerTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  @Test
  void aUnixPeerHangsUpAfterWhatItHadSent() {
    for (int type : new int[] {SocketCalls.SOCK_STREAM, SocketCalls.SOCK_SEQPACKET}) {
      int[] ends = kit.ownTwo(Nr.SOCKETPAIR, 1, type | 04000, 0);
      kit.write(ends[1], "one");
      kit.write(ends[1], "two");
      kit.closeFd(ends[1]);
      assertThat(kit.kind(ends[0])).isEqualTo("lost connection");
      assertThat(kit.claim(ends[0]).changed()).isTrue();
      kit.roundTrip(ends[0]);
      assertThat(kit.read(ends[0]) + kit.read(ends[0])).isEqualTo("onetwo");
      assertThat(kit.read(ends[0])).isEmpty();
    }
  }

  @Test
  void aTcpPeerHangsUpAfterWhatItHadSent() {
    for (int domain : new int[] {SocketCalls.AF_INET, SocketCalls.AF_INET6}) {
      int listener = kit.socket(domain, SocketCalls.SOCK_STREAM);
      kit.bind(listener, SocketAddress.loopback(domain));
      ContractKit.call(Nr.LISTEN, listener, 3);
      int client = kit.socket(domain, SocketCalls.SOCK_STREAM);
      kit.connect(client, kit.address(listener));
      int server = kit.own(ContractKit.call(Nr.ACCEPT4, listener, 0, 0, 0));
      SocketCalls.trySetOption(client, 6, 1, 1);
      String sent = "z".repeat(40_000);
      kit.write(server, sent);
      ContractKit.Snapshot saved = kit.capture(client);
      DescriptorImage.LostPeer image = ContractKit.only(saved, DescriptorImage.LostPeer.class);
      assertThat(image.unread()).hasSize(1);
      assertThat(image.unread().get(0)).hasSize(40_000);
      assertThat(image.options()).hasSize(1);
      assertThat(image.peer()).endsWith(":" + SocketAddress.port(kit.address(listener)));
      kit.close(saved);
      kit.restore(saved);
      assertThat(kit.read(client)).isEqualTo(sent);
      assertThat(kit.read(client)).isEmpty();
      assertThat(SocketCalls.intOption(client, 6, 1, 0)).isEqualTo(1);
      assertThat(kit.notes.get(kit.notes.size() - 1)).contains(image.peer());
    }
  }

  /** It has the port of its listener still in its name, and must not be bound there again. */
  @Test
  void aTcpConnectionThatWasResetIsNoBoundSocket() {
    int listener = kit.socket(SocketCalls.AF_INET, SocketCalls.SOCK_STREAM);
    kit.bind(listener, SocketAddress.loopback(SocketCalls.AF_INET));
    ContractKit.call(Nr.LISTEN, listener, 3);
    int client = kit.socket(SocketCalls.AF_INET, SocketCalls.SOCK_STREAM);
    kit.connect(client, kit.address(listener));
    int server = kit.own(ContractKit.call(Nr.ACCEPT4, listener, 0, 0, 0));
    kit.write(server, "unread");
    kit.closeFd(client);
    assertThat(SocketCalls.peerAddress(server)).isNull();
    assertThat(SocketAddress.port(kit.address(server)))
        .isEqualTo(SocketAddress.port(kit.address(listener)));
    assertThat(kit.kind(server)).isEqualTo("lost connection");
    assertThat(kit.claim(server).summary()).contains("somebody who has ended it");
    ContractKit.Snapshot saved = kit.capture(server);
    kit.close(saved);
    kit.restore(saved);
    assertThat(kit.read(server)).isEmpty();
  }

  @Test
  void aServerThatTheUserNamesIsCalledAgain() {
    for (int domain : new int[] {1, SocketCalls.AF_INET, SocketCalls.AF_INET6}) {
      int listener = kit.socket(domain, SocketCalls.SOCK_STREAM);
      kit.bind(listener, domain == 1 ? new byte[] {1, 0} : SocketAddress.loopback(domain));
      ContractKit.call(Nr.LISTEN, listener, 3);
      int client = kit.socket(domain, SocketCalls.SOCK_STREAM);
      kit.connect(client, kit.address(listener));
      ContractKit.Snapshot saved = kit.capture(client);
      kit.close(saved);
      kit.own(ContractKit.call(Nr.ACCEPT4, listener, 0, 0, 0));
      String address = SocketAddress.text(kit.address(listener));
      kit.reattach.put("fd:" + client, address);
      kit.restore(saved);
      int server = kit.own(ContractKit.call(Nr.ACCEPT4, listener, 0, 0, 0));
      kit.write(server, "again");
      assertThat(kit.read(client)).isEqualTo("again");
      kit.closeFd(listener);
      kit.close(saved);
      assertThatThrownBy(() -> kit.restore(saved))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("nobody listens at " + address);
    }
  }

  @Test
  void aClientNobodyHasAcceptedIsLost() {
    int listener = kit.socket(1, SocketCalls.SOCK_STREAM);
    kit.bind(listener, new byte[] {1, 0});
    ContractKit.call(Nr.LISTEN, listener, 3);
    int client = kit.socket(1, SocketCalls.SOCK_STREAM);
    kit.connect(client, kit.address(listener));
    assertThat(List.of(kit.kind(client), kit.kind(listener)))
        .containsExactly("lost connection", "socket");
    assertThat(kit.claim(listener).summary()).contains("1 connections");
    kit.capture(listener);
    assertThat(kit.notes.get(0)).contains("fd:" + listener);
  }
}
