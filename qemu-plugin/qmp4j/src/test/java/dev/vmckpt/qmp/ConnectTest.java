// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Connecting where it does not go well. */
@Timeout(120)
class ConnectTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofMillis(200);

  @TempDir Path folder;

  @Test
  void aMonitorThatSomebodyHoldsIsBusyAndFreeAfterwards() {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket)) {
      try (Qmp holder = Qmp.connect(socket, PATIENCE)) {
        assertThatThrownBy(() -> Qmp.connect(socket, SOON))
            .isInstanceOf(QmpBusyException.class)
            .hasMessageContainingAll(socket.toString(), "somebody else holds this monitor");
        assertThat(holder.execute("query-name").isObject()).isTrue();
      }
      try (Qmp next = Qmp.connect(socket, PATIENCE)) {
        assertThat(next.execute("query-name").isObject()).isTrue();
      }
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void aFullQueueOfTheKernelIsBusyToo() {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket)) {
      try (Qmp holder = Qmp.connect(socket, PATIENCE)) {
        // Those who gave up stay in the queue, until nobody more is let in.
        String message = "";
        for (int i = 0; i < 200 && !message.contains("not let in"); i++) {
          message =
              catchThrowableOfType(QmpBusyException.class, () -> Qmp.connect(socket, SOON))
                  .getMessage();
        }
        assertThat(message).contains("not let in", "somebody else holds this monitor");
        assertThat(holder.execute("query-name").isObject()).isTrue();
      }
      try (Qmp next = Qmp.connect(socket, PATIENCE)) {
        assertThat(next.execute("query-name").isObject()).isTrue();
      }
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void aStoppedServerLooksBusyAndIsServedWhenItGoesOn() {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket)) {
      Shell.stop(server.pid());
      assertThatThrownBy(() -> Qmp.connect(socket, SOON))
          .isInstanceOf(QmpBusyException.class)
          .hasMessageContaining("its process is stopped");
      Shell.goOn(server.pid());
      try (Qmp next = Qmp.connect(socket, PATIENCE)) {
        assertThat(next.execute("query-name").isObject()).isTrue();
      }
    }
  }

  @Test
  void whereNobodyListensThereIsNoConnection() throws IOException {
    assertThatThrownBy(() -> Qmp.connect(folder.resolve("none"), PATIENCE))
        .isInstanceOf(QmpConnectException.class)
        .hasMessageContaining(folder.resolve("none").toString());
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(() -> Qmp.connect(file, PATIENCE)).isInstanceOf(QmpConnectException.class);
    assertThatThrownBy(() -> Qmp.connect(folder.resolve("x".repeat(200)), PATIENCE))
        .isInstanceOf(QmpConnectException.class);
    InetSocketAddress nobody;
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      nobody = new InetSocketAddress(server.getInetAddress(), server.getLocalPort());
    }
    assertThatThrownBy(() -> Qmp.connect(nobody, QmpOptions.DEFAULT))
        .isInstanceOf(QmpConnectException.class);
    assertThatThrownBy(
            () ->
                Qmp.connect(
                    InetSocketAddress.createUnresolved("nowhere.invalid", 4444),
                    QmpOptions.DEFAULT))
        .isInstanceOf(QmpConnectException.class);
    assertThatThrownBy(() -> Qmp.open(folder.resolve("none"), QmpOptions.DEFAULT))
        .isInstanceOf(QmpConnectException.class);
  }

  @Test
  void aHostThatDoesNotAnswerIsNotConnectedInTime() throws IOException {
    try (ServerSocket deaf = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      InetSocketAddress address = new InetSocketAddress(deaf.getInetAddress(), deaf.getLocalPort());
      QmpOptions options = QmpOptions.DEFAULT.withTimeout(SOON);
      // The kernel accepts a few in its place, and then passes over who knocks.
      QmpException last = null;
      for (int i = 0; i < 20 && !(last instanceof QmpTimeoutException); i++) {
        last = catchThrowableOfType(QmpException.class, () -> Qmp.connect(address, options));
        assertThat(last).isInstanceOfAny(QmpBusyException.class, QmpTimeoutException.class);
      }
      assertThat(last)
          .isInstanceOf(QmpTimeoutException.class)
          .hasMessageContaining("not connected within 0.2 s");
    }
  }

  @Test
  void aScreenIsNoMonitor() {
    Path socket = folder.resolve("vnc");
    try (RealServer server = RealServer.qemu("-vnc", "unix:" + socket)) {
      assertThatThrownBy(() -> Qmp.connect(socket, PATIENCE))
          .isInstanceOfSatisfying(
              QmpProtocolException.class, e -> assertThat(e.excerpt()).startsWith("RFB 003"))
          .hasMessageContaining("RFB 003.008\\x0a");
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void aMonitorForHumansIsNone() {
    Path socket = folder.resolve("hmp");
    try (RealServer server =
        RealServer.qemu("-monitor", "unix:" + socket + ",server=on,wait=off")) {
      assertThatThrownBy(() -> Qmp.connect(socket, PATIENCE))
          .isInstanceOf(QmpProtocolException.class)
          .hasMessageContaining("QEMU");
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void connectingCanBeInterrupted() {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket);
        Qmp holder = Qmp.connect(socket, PATIENCE)) {
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> Qmp.connect(socket, PATIENCE))
          .isInstanceOf(QmpInterruptedException.class);
      assertThat(Thread.interrupted()).isTrue();
      assertThat(holder.execute("query-name").isObject()).isTrue();
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void aTimeoutIsMoreThanNothing() {
    assertThatThrownBy(() -> Qmp.connect(folder.resolve("qmp"), Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Qmp.connect(folder.resolve("qmp"), Duration.ofSeconds(-1)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
