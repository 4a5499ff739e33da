// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real qemu-ga, which has this host for its guest. */
@Timeout(120)
class GuestAgentTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofMillis(200);

  @TempDir Path folder;
  private RealAgent server;

  @BeforeEach
  void start() {
    server = new RealAgent(folder);
  }

  @AfterEach
  void end() {
    server.close();
  }

  private GuestAgent connect() {
    return GuestAgent.connect(server.socket(), PATIENCE);
  }

  @Test
  void answers() {
    try (GuestAgent agent = connect()) {
      assertThat(agent.execute("guest-ping").isObject()).isTrue();
      assertThat(agent.execute("guest-info").path("version").asText()).isNotEmpty();
      assertThat(agent.execute("guest-get-time").asLong())
          .isGreaterThan(1_000_000_000_000_000_000L);
      assertThat(agent.execute("guest-get-osinfo").path("kernel-release").asText()).isNotEmpty();
      assertThat(agent.commands()).contains("guest-ping", "guest-sync-delimited");
      agent.sync();
      assertThat(agent.isOpen()).isTrue();
    }
  }

  @Test
  void errorsHaveTheirClass() {
    try (GuestAgent agent = connect()) {
      assertThatThrownBy(() -> agent.execute("query-status"))
          .isInstanceOfSatisfying(
              QmpErrorException.class,
              e -> assertThat(e.errorClass()).isEqualTo(ErrorClass.COMMAND_NOT_FOUND));
      assertThatThrownBy(
              () ->
                  agent.executeUnanswered(
                      "guest-shutdown", args -> args.put("mode", "no such mode"), PATIENCE))
          .isInstanceOf(QmpErrorException.class)
          .hasMessageContaining("guest-shutdown");
      assertThat(agent.execute("guest-ping").isObject()).isTrue();
    }
  }

  @Test
  void whatOthersLeftInTheLineIsPassedOver() throws IOException {
    // Half of a command, and what the agent would answer to it.
    try (SocketChannel rude = SocketChannel.open(UnixDomainSocketAddress.of(server.socket()))) {
      rude.write(ByteBuffer.wrap("{\"execute\": \"gue".getBytes(StandardCharsets.UTF_8)));
    }
    try (GuestAgent agent = connect()) {
      assertThat(agent.execute("guest-ping").isObject()).isTrue();
    }
  }

  @Test
  void anAgentThatComesBackLateIsInStepAgain() {
    try (GuestAgent agent = connect()) {
      Shell.stop(server.pid());
      // Taken to have been carried out, for nobody refuses.
      agent.executeUnanswered("guest-ping", none -> {}, SOON);
      for (int i = 0; i < 3; i++) {
        assertThatThrownBy(() -> agent.execute("guest-get-time", none -> {}, SOON))
            .isInstanceOf(QmpTimeoutException.class);
      }
      Shell.goOn(server.pid());
      // All of the late answers are passed over, and its complaints of sentinels.
      assertThat(agent.execute("guest-info").path("version").asText()).isNotEmpty();
      assertThat(agent.execute("guest-ping").isEmpty()).isTrue();
    }
  }

  @Test
  void aSecondClientIsToldThatNobodyAnswers() {
    try (GuestAgent agent = connect()) {
      assertThatThrownBy(() -> GuestAgent.connect(server.socket(), SOON))
          .isInstanceOf(QmpTimeoutException.class)
          .hasMessageContainingAll(server.socket().toString(), "somebody else holds this socket");
      assertThat(agent.execute("guest-ping").isObject()).isTrue();
    }
    assertThatThrownBy(() -> GuestAgent.connect(folder.resolve("none"), PATIENCE))
        .isInstanceOf(QmpConnectException.class);
  }

  @Test
  void threadsTakeTurns() {
    try (GuestAgent agent = connect()) {
      List<CompletableFuture<Void>> all = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        all.add(
            CompletableFuture.runAsync(
                () -> {
                  for (int k = 0; k < 50; k++) {
                    assertThat(agent.execute("guest-get-time").isIntegralNumber()).isTrue();
                    assertThat(agent.execute("guest-ping").isObject()).isTrue();
                  }
                }));
      }
      all.forEach(CompletableFuture::join);
    }
  }

  @Test
  void anInterruptCostsNothing() {
    try (GuestAgent agent = connect()) {
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> agent.execute("guest-get-time"))
          .isInstanceOf(QmpInterruptedException.class);
      assertThat(Thread.interrupted()).isTrue();
      assertThat(agent.execute("guest-ping").isEmpty()).isTrue();
    }
  }

  @Test
  void anAgentThatDiesClosesTheConnection() {
    try (GuestAgent agent = connect()) {
      server.close();
      assertThatThrownBy(() -> agent.execute("guest-ping")).isInstanceOf(QmpClosedException.class);
      assertThat(agent.isOpen()).isFalse();
    }
  }

  @Test
  void throughThePortOfAnEmulatorWithoutAGuestNobodyAnswers() {
    Path port = folder.resolve("port");
    try (RealServer qemu =
        RealServer.qemu(
            "-machine",
            "pc",
            "-chardev",
            "socket,id=ga,path=" + port + ",server=on,wait=off",
            "-device",
            "virtio-serial",
            "-device",
            "virtserialport,chardev=ga,name=org.qemu.guest_agent.0")) {
      assertThatThrownBy(() -> GuestAgent.connect(port, SOON))
          .isInstanceOf(QmpTimeoutException.class)
          .hasMessageContaining("none runs in the guest");
      assertThat(qemu.isAlive()).isTrue();
    }
  }
}
