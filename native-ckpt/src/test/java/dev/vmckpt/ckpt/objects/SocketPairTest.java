// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.remote.Nr;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketPairTest {
  private final ContractKit kit;

  SocketPairTest(@TempDir Path folder) {
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private int[] pair(int type) {
    return kit.ownTwo(Nr.SOCKETPAIR, 1, type | 04000, 0);
  }

  private static DescriptorImage.SocketPair end(ContractKit.Snapshot saved, int which) {
    return (DescriptorImage.SocketPair) saved.files().get(which).object();
  }

  @Test
  void aStreamComesBackWithWhatIsUnread() {
    int[] ends = pair(SocketCalls.SOCK_STREAM);
    kit.write(ends[0], "to the ");
    kit.write(ends[0], "second");
    kit.write(ends[1], "to the first");
    ContractKit.Snapshot saved = kit.roundTrip(ends);
    assertThat(end(saved, 1).unread()).hasSize(1);
    assertThat(kit.read(ends[1])).isEqualTo("to the second");
    assertThat(kit.read(ends[0])).isEqualTo("to the first");
    kit.write(ends[1], "again");
    assertThat(kit.read(ends[0])).isEqualTo("again");
  }

  @Test
  void messagesStayMessages() {
    for (int type : new int[] {SocketCalls.SOCK_DGRAM, SocketCalls.SOCK_SEQPACKET}) {
      int[] ends = pair(type);
      kit.write(ends[0], "one");
      kit.write(ends[0], "");
      kit.write(ends[0], "three");
      ContractKit.Snapshot saved = kit.roundTrip(ends);
      assertThat(end(saved, 1).unread()).hasSize(3);
      assertThat(kit.read(ends[1])).isEqualTo("one");
      assertThat(kit.read(ends[1])).isEmpty();
      assertThat(kit.read(ends[1])).isEqualTo("three");
      assertThat(kit.read(ends[1])).isEqualTo("errno 11");
    }
  }

  @Test
  void aFullStreamComesBackFull() {
    int[] ends = pair(SocketCalls.SOCK_STREAM);
    NativeBuffer block = new NativeBuffer(4096);
    long total = 0;
    while (true) {
      long written = Sys.tryCall(Nr.WRITE, ends[0], block.address(), block.size());
      if (written < 0) {
        break;
      }
      total += written;
    }
    ContractKit.Snapshot saved = kit.roundTrip(ends);
    assertThat((long) end(saved, 1).unread().get(0).length).isEqualTo(total);
  }

  @Test
  void whatIsPeekedIsPeekedAsBefore() {
    int[] ends = pair(SocketCalls.SOCK_STREAM);
    kit.write(ends[0], "0123456789");
    SocketCalls.trySetOption(ends[1], 1, 42, 4);
    kit.capture(ends);
    assertThat(SocketCalls.intOption(ends[1], 1, 42, -7)).isEqualTo(4);
    assertThat(kit.read(ends[1])).isEqualTo("0123456789");
  }

  @Test
  void whatIsShutStaysShut() {
    int[] ends = pair(SocketCalls.SOCK_STREAM);
    kit.write(ends[0], "last");
    ContractKit.call(Nr.SHUTDOWN, ends[0], 1);
    ContractKit.Snapshot saved = kit.roundTrip(ends);
    assertThat(end(saved, 0).writeShut()).isTrue();
    assertThat(end(saved, 1).readShut()).isTrue();
    assertThat(kit.read(ends[1])).isEqualTo("last");
    assertThat(kit.read(ends[1])).isEmpty();
    kit.write(ends[1], "other way");
    assertThat(kit.read(ends[0])).isEqualTo("other way");
  }

  @Test
  void optionsComeBack() {
    int[] ends = pair(SocketCalls.SOCK_STREAM);
    SocketCalls.trySetOption(ends[0], 1, 16, 1);
    SocketCalls.trySetOption(ends[1], 1, 7, 50_000);
    ContractKit.Snapshot saved = kit.roundTrip(ends);
    assertThat(end(saved, 0).options()).hasSize(1);
    assertThat(end(saved, 1).options()).hasSize(1);
    assertThat(SocketCalls.intOption(ends[1], 1, 7, 0)).isEqualTo(100_000);
  }

  @Test
  void descriptorsOnTheirWayAreRefused() {
    int[] ends = pair(SocketCalls.SOCK_STREAM);
    sendDescriptor(ends[0]);
    assertThat(kit.claim(ends[1]).refusal()).contains("1 descriptors");
    assertThat(kit.claim(ends[0]).refusal()).isNull();
    assertThatThrownBy(() -> kit.capture(ends))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("fd:" + ends[1]);
  }

  /** Sends one byte and descriptor 0 (struct msghdr, iovec and cmsghdr in one buffer). */
  private static void sendDescriptor(int fd) {
    NativeBuffer b = new NativeBuffer(256);
    b.bytes().putLong(16, b.address() + 64).putLong(24, 1);
    b.bytes().putLong(32, b.address() + 128).putLong(40, 24);
    b.bytes().putLong(64, b.address() + 200).putLong(72, 1);
    b.bytes().putLong(128, 20).putInt(136, 1).putInt(140, 1).putInt(144, 0);
    ContractKit.call(Nr.SENDMSG, fd, b.address(), 0);
  }

  @Test
  void anAcceptedConnectionWithinTheSetIsAPair() {
    int listener = kit.socket(1, SocketCalls.SOCK_STREAM);
    byte[] name = SocketAddress.ofUnix("@vmckpt-test-" + System.nanoTime());
    assertThat(name).isNotNull();
    kit.bind(listener, name == null ? new byte[0] : name);
    ContractKit.call(Nr.LISTEN, listener, 3);
    int client = kit.socket(1, SocketCalls.SOCK_STREAM);
    kit.connect(client, kit.address(listener));
    int server = kit.own(ContractKit.call(Nr.ACCEPT4, listener, 0, 0, 0));
    kit.write(client, "ping");
    kit.roundTrip(client, server);
    assertThat(kit.read(server)).isEqualTo("ping");
    assertThat(List.of(kit.kind(client), kit.kind(server))).containsOnly("socket pair");
  }
}
