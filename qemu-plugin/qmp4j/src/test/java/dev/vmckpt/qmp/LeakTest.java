// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is closed leaves no thread and no descriptor, however it went before. */
@Timeout(120)
class LeakTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofMillis(50);

  @TempDir Path folder;

  @Test
  void nothingIsLeft() throws IOException {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket)) {
      everything(socket);
      List<String> before = descriptors();
      for (int i = 0; i < 20; i++) {
        everything(socket);
      }
      assertThat(threads()).isEmpty();
      assertThat(descriptors()).hasSameSizeAs(before);
      assertThat(server.isAlive()).isTrue();
    }
  }

  private void everything(Path socket) throws IOException {
    try (Qmp qmp = Qmp.connect(socket, PATIENCE);
        EventQueue events = qmp.events().queue()) {
      qmp.execute("query-status");
      assertThat(threads()).hasSize(1);
      assertThatThrownBy(() -> Qmp.connect(socket, SOON)).isInstanceOf(QmpBusyException.class);
      assertThat(events.poll()).isNull();
    }
    assertThat(threads()).isEmpty();
    assertThatThrownBy(() -> Qmp.connect(folder.resolve("none"), PATIENCE))
        .isInstanceOf(QmpConnectException.class);
    try (Qmp qmp =
        Qmp.adopt(
            new Recording(SocketChannel.open(UnixDomainSocketAddress.of(socket))),
            QmpOptions.DEFAULT)) {
      qmp.execute("query-status");
    }
    assertThat(threads()).isEmpty();
  }

  private static List<String> threads() {
    List<String> names = new ArrayList<>();
    for (Thread each : Thread.getAllStackTraces().keySet()) {
      if (each.getName().startsWith("qmp ")) {
        names.add(each.getName());
      }
    }
    return names;
  }

  /** Sockets, and what a selector is made of. */
  private static List<String> descriptors() throws IOException {
    List<String> found = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path each : all) {
        try {
          String target = Files.readSymbolicLink(each).toString();
          if (target.startsWith("socket:") || target.startsWith("anon_inode:")) {
            found.add(target);
          }
        } catch (NoSuchFileException e) {
          // The one that reads this folder.
        }
      }
    }
    return found;
  }
}
