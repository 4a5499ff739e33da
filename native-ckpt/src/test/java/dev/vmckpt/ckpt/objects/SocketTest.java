// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.image.DescriptorImage;
import dev.vmckpt.spi.image.SocketFile;
import dev.vmckpt.spi.remote.Nr;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketTest {
  private final Path folder;
  private final ContractKit kit;

  SocketTest(@TempDir Path folder) {
    this.folder = folder;
    kit = new ContractKit(folder);
  }

  @AfterEach
  void close() {
    kit.close();
  }

  private byte[] unix(Path path) {
    return Objects.requireNonNull(SocketAddress.ofUnix(path.toString()));
  }

  private int listening(byte[] address, int backlog) {
    int fd = kit.socket(SocketAddress.family(address), SocketCalls.SOCK_STREAM);
    kit.bind(fd, address);
    ContractKit.call(Nr.LISTEN, fd, backlog);
    return fd;
  }

  private void connects(byte[] address) {
    int client = kit.socket(SocketAddress.family(address), SocketCalls.SOCK_STREAM);
    kit.connect(client, address);
    kit.closeFd(client);
  }

  @Test
  void aUnixListenerComesBackWithItsFileAndBacklog() throws Exception {
    Path path = folder.resolve("qmp.sock");
    int fd = listening(unix(path), 17);
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw----"));
    boolean root = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
    int owner = root ? 64055 : (int) Files.getAttribute(path, "unix:uid");
    Files.setAttribute(path, "unix:uid", owner);
    DescriptorImage.Socket image =
        ContractKit.only(kit.roundTrip(fd), DescriptorImage.Socket.class);
    assertThat(image.backlog()).isEqualTo(17);
    SocketFile file = Objects.requireNonNull(image.file());
    assertThat(file.mode()).isEqualTo(0660);
    assertThat(file.owner()).isEqualTo(owner);
    assertThat(Files.getAttribute(path, "unix:uid")).isEqualTo(owner);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-rw----");
    connects(unix(path));
  }

  @Test
  void aPathWhereSomebodyListensIsRefusedAndNotDisturbed() {
    Path path = folder.resolve("busy.sock");
    int fd = listening(unix(path), 1);
    ContractKit.Snapshot saved = kit.capture(fd);
    assertThatThrownBy(() -> kit.restore(saved))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(path.toString())
        .hasMessageContaining("--reattach fd:" + fd + "=");
    assertThat(kit.claim(fd).summary()).doesNotContain("accepted");
    kit.close(saved);
    Path elsewhere = folder.resolve("other.sock");
    kit.reattach.put("fd:" + fd, elsewhere.toString());
    kit.restore(saved);
    connects(unix(elsewhere));
  }

  @Test
  void aFileThatIsNoSocketIsNotRemoved() throws Exception {
    Path path = folder.resolve("file");
    int fd = listening(unix(path), 1);
    ContractKit.Snapshot saved = kit.capture(fd);
    kit.close(saved);
    Files.delete(path);
    Files.writeString(path, "precious");
    assertThatThrownBy(() -> kit.restore(saved)).isInstanceOf(RefusedException.class);
    assertThat(path).hasContent("precious");
  }

  @Test
  void aFolderThatIsGoneIsRefused() throws Exception {
    Path path = Files.createDirectory(folder.resolve("gone")).resolve("s");
    int fd = listening(unix(path), 1);
    ContractKit.Snapshot saved = kit.capture(fd);
    kit.close(saved);
    Files.delete(path);
    Files.delete(path.getParent());
    assertThatThrownBy(() -> kit.restore(saved))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("--reattach");
  }

  @Test
  void oneWhoseFileWasRemovedStillListens() throws Exception {
    Path path = folder.resolve("removed");
    int fd = listening(unix(path), 1);
    Files.delete(path);
    ContractKit.Snapshot saved = kit.capture(fd);
    kit.close(saved);
    kit.restore(saved);
    assertThat(Files.exists(path)).isFalse();
    connects(kit.address(fd));
    assertThat(kit.notes).hasSize(1);
  }

  @Test
  void anAbstractOneComesBack() {
    byte[] name = Objects.requireNonNull(SocketAddress.ofUnix("@vmckpt-" + System.nanoTime()));
    int fd = listening(name, 5);
    ContractKit.Snapshot saved = kit.roundTrip(fd);
    connects(name);
    assertThatThrownBy(() -> kit.restore(saved))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(SocketAddress.text(name));
  }

  @Test
  void aTcpListenerComesBackAtItsPort() {
    for (int domain : new int[] {SocketCalls.AF_INET, SocketCalls.AF_INET6}) {
      int fd = kit.socket(domain, SocketCalls.SOCK_STREAM);
      SocketCalls.trySetOption(fd, 1, 2, 1);
      if (domain == SocketCalls.AF_INET6) {
        SocketCalls.trySetOption(fd, 41, 26, 1);
      }
      kit.bind(fd, SocketAddress.loopback(domain));
      ContractKit.call(Nr.LISTEN, fd, 9);
      byte[] address = kit.address(fd);
      DescriptorImage.Socket image =
          ContractKit.only(kit.roundTrip(fd), DescriptorImage.Socket.class);
      assertThat(image.backlog()).isEqualTo(9);
      assertThat(image.options()).hasSize(domain == SocketCalls.AF_INET ? 1 : 2);
      assertThat(kit.address(fd)).isEqualTo(address);
      connects(address);
      assertThat(kit.notes).isEmpty();
    }
  }

  @Test
  void aTakenPortIsRefusedAndCanBeAnother() {
    int fd = listening(SocketAddress.loopback(SocketCalls.AF_INET), 1);
    byte[] address = kit.address(fd);
    ContractKit.Snapshot saved = kit.capture(fd);
    kit.close(saved);
    int thief = listening(address, 1);
    assertThatThrownBy(() -> kit.restore(saved))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(SocketAddress.text(address))
        .hasMessageContaining("--reattach fd:" + fd + "=");
    kit.reattach.put("fd:" + fd, "no port");
    assertThatThrownBy(() -> kit.restore(saved)).isInstanceOf(UsageException.class);
    kit.reattach.put("fd:" + fd, "0");
    kit.restore(saved);
    connects(kit.address(fd));
    kit.closeFd(thief);
  }

  @Test
  void datagramSocketsComeBack() {
    int bound = kit.socket(SocketCalls.AF_INET, SocketCalls.SOCK_DGRAM);
    kit.bind(bound, SocketAddress.loopback(SocketCalls.AF_INET));
    int sender = kit.socket(SocketCalls.AF_INET, SocketCalls.SOCK_DGRAM);
    kit.connect(sender, kit.address(bound));
    int fresh = kit.socket(SocketCalls.AF_INET6, SocketCalls.SOCK_DGRAM);
    SocketCalls.trySetOption(fresh, 1, 6, 1);
    kit.roundTrip(bound, sender, fresh);
    kit.write(sender, "datagram");
    assertThat(kit.read(bound)).isEqualTo("datagram");
  }

  @Test
  void unusedSocketsComeBack() {
    int unix = kit.socket(SocketCalls.AF_UNIX, SocketCalls.SOCK_SEQPACKET);
    int tcp = kit.socket(SocketCalls.AF_INET, SocketCalls.SOCK_STREAM);
    SocketCalls.trySetOption(tcp, 6, 4, 30);
    SocketCalls.trySetOption(tcp, 0, 1, 16);
    SocketCalls.trySetOption(tcp, 1, 8, 100_000);
    ContractKit.Snapshot saved = kit.roundTrip(unix, tcp);
    // The type of service sets the priority too.
    assertThat(((DescriptorImage.Socket) saved.files().get(1).object()).options()).hasSize(4);
  }

  @Test
  void otherFamiliesAreNobodys() {
    int netlink = kit.own(SocketCalls.trySocket(16, 3, 0));
    try (Census census = Census.take(kit.process.pid())) {
      assertThat(KernelObjects.recognise(ContractKit.resource(census, netlink), census)).isEmpty();
    }
  }
}
