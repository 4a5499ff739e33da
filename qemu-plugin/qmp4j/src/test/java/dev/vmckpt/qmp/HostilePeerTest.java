// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Peers that do what no real server can be made to do. */
@Timeout(120)
class HostilePeerTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofMillis(200);

  @TempDir Path folder;
  private ServerSocketChannel listening;

  @BeforeEach
  void listen() throws IOException {
    listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listening.bind(UnixDomainSocketAddress.of(folder.resolve("peer")));
  }

  @AfterEach
  void end() throws IOException {
    listening.close();
  }

  private CompletableFuture<Qmp> connecting() {
    return CompletableFuture.supplyAsync(() -> Qmp.connect(folder.resolve("peer"), PATIENCE));
  }

  private CompletableFuture<GuestAgent> meeting() {
    return CompletableFuture.supplyAsync(
        () -> GuestAgent.connect(folder.resolve("peer"), PATIENCE));
  }

  private static <E extends QmpException> E failure(
      Class<E> kind, CompletableFuture<?> client, String after) {
    CompletionException e = catchThrowableOfType(CompletionException.class, client::join);
    assertThat(e.getCause()).as(after).isInstanceOf(kind);
    return kind.cast(e.getCause());
  }

  @Test
  void greetingsThatAreNone() throws IOException {
    for (String bad :
        new String[] {
          "{}",
          "{\"QMP\": {}}",
          "{\"QMP\": 1}",
          "{\"QMP\": {\"version\": {\"qemu\": {\"major\": \"9\"}}, \"capabilities\": []}}",
          "{\"QMP\": {\"version\": {}, \"capabilities\": []}}",
          "{\"hello\": \"world\"}",
          "{\"return\": {}}",
          "SSH-2.0-OpenSSH\r\n",
          "\u0016\u0003\u0001",
          "{\"event\": 1}",
          "{\"event\": \"X\", \"data\": []}",
        }) {
      CompletableFuture<Qmp> client = connecting();
      try (HostilePeer peer = HostilePeer.to(listening)) {
        peer.say(bad);
        assertThat(failure(QmpProtocolException.class, client, bad).excerpt()).isNotEmpty();
      }
    }
  }

  @Test
  void hangingUpInsteadOfGreeting() throws IOException {
    for (String beginning : new String[] {"", "{\"QMP\": {\"vers"}) {
      CompletableFuture<Qmp> client = connecting();
      try (HostilePeer peer = HostilePeer.to(listening)) {
        peer.say(beginning);
      }
      assertThat(failure(QmpClosedException.class, client, beginning))
          .hasMessageContaining(beginning);
    }
    CompletableFuture<Qmp> client = connecting();
    HostilePeer.to(listening).greet().close();
    assertThat(failure(QmpClosedException.class, client, "a greeting").inFlight())
        .containsExactly("qmp_capabilities");
  }

  @Test
  void aNegotiationThatIsRefused() throws IOException {
    CompletableFuture<Qmp> client = connecting();
    try (HostilePeer peer = HostilePeer.to(listening).greet()) {
      peer.say("{\"error\": {\"class\": \"NewClass\", \"desc\": \"never\"}, \"id\": 1}");
      QmpErrorException refused = failure(QmpErrorException.class, client, "a refusal");
      assertThat(refused.errorClass()).isEqualTo(ErrorClass.OTHER);
      assertThat(refused.errorClassText()).isEqualTo("NewClass");
      assertThat(refused).hasMessage("qmp_capabilities: never (NewClass)");
    }
  }

  @Test
  void answersThatAreNone() throws IOException {
    for (String bad :
        new String[] {
          "{\"return\": {}, \"id\": 99}",
          "{\"return\": {}, \"id\": \"1\"}",
          "{\"return\": {}, \"id\": 1.0}",
          "{\"return\": {}, \"id\": 99999999999999999999999999}",
          "{\"error\": {}, \"id\": 1}",
          "{\"error\": {\"class\": 1, \"desc\": 2}, \"id\": 1}",
          "{\"error\": null, \"id\": 1}",
          "{\"QMP\": {}}",
        }) {
      CompletableFuture<Qmp> client = connecting();
      try (HostilePeer peer = HostilePeer.to(listening).greet()) {
        // Of what comes behind it nothing is quoted.
        peer.say(bad + "\r\n{\"next\": 1}");
        QmpProtocolException failure = failure(QmpProtocolException.class, client, bad);
        assertThat(failure.excerpt()).isEqualTo(bad);
        assertThat(failure).hasMessageContainingAll(folder.resolve("peer").toString(), bad);
      }
    }
  }

  @Test
  void whatGoesWrongLaterFailsAllThatWaits() throws IOException {
    CompletableFuture<Qmp> client = connecting();
    try (HostilePeer peer = HostilePeer.to(listening).negotiate();
        Qmp qmp = client.join()) {
      assertThat(qmp.isOutOfBand()).isFalse();
      Pending<JsonNode> answer = qmp.submit("query-status");
      Pending<QmpEvent> event = qmp.events().expect("STOP");
      peer.say("{\"event\": \u001b");
      assertThatThrownBy(answer::get)
          .isInstanceOfSatisfying(
              QmpProtocolException.class,
              e -> assertThat(e.excerpt()).isEqualTo("{\"event\": \\x1b"));
      assertThatThrownBy(event::get).isInstanceOf(QmpProtocolException.class);
      assertThatThrownBy(() -> qmp.execute("x")).isInstanceOf(QmpProtocolException.class);
      assertThat(qmp.ended().join()).isInstanceOf(QmpProtocolException.class);
    }
  }

  @Test
  void aPeerThatDoesNotReadStopsNoTimeout() throws IOException {
    CompletableFuture<Qmp> client = connecting();
    try (HostilePeer peer = HostilePeer.to(listening).negotiate();
        Qmp qmp = client.join()) {
      String much = "x".repeat(16 << 20);
      assertThatThrownBy(() -> qmp.execute("a", args -> args.put("much", much), SOON))
          .isInstanceOf(QmpTimeoutException.class);
      assertThatThrownBy(() -> qmp.execute("b", none -> {}, SOON))
          .isInstanceOf(QmpTimeoutException.class);
      // It goes on when the peer does.
      assertThat(peer.hear()).contains("\"a\"").doesNotContain("\"b\"");
      Pending<JsonNode> last = qmp.submit("c");
      assertThat(peer.hear()).contains("\"c\"");
      peer.say("{\"return\": 7, \"id\": 4}");
      assertThat(last.get().asInt()).isEqualTo(7);
    }
  }

  @Test
  void anEventWithoutTimeOrDataIsOne() throws IOException {
    CompletableFuture<Qmp> client = connecting();
    try (HostilePeer peer = HostilePeer.to(listening).negotiate();
        Qmp qmp = client.join();
        EventQueue events = qmp.events().queue()) {
      peer.say("{\"event\": \"X\"}");
      QmpEvent event = events.next(PATIENCE);
      assertThat(event.data().isEmpty()).isTrue();
      assertThat(event.seconds()).isEqualTo(-1);
      assertThat(event.time().getEpochSecond()).isZero();
    }
  }

  @Test
  void anEndlessMessageOfAGuestIsCutOff() throws IOException {
    CompletableFuture<GuestAgent> client = meeting();
    try (HostilePeer peer = HostilePeer.to(listening)) {
      // Before the sentinel anything may come, and any amount of it.
      peer.hear();
      for (int i = 0; i < 20; i++) {
        peer.say("{]".repeat(1 << 19));
      }
      peer.say("\u00ff{\"return\": \"");
      assertThatThrownBy(
              () -> {
                while (true) {
                  peer.say("x".repeat(1 << 20));
                }
              })
          .isInstanceOf(IOException.class);
    }
    assertThat(failure(QmpProtocolException.class, client, "a flood"))
        .hasMessageContaining("16777216 bytes");
  }

  @Test
  void anOldAgentGivesNoIds() throws IOException {
    CompletableFuture<GuestAgent> client = meeting();
    try (HostilePeer peer = HostilePeer.to(listening)) {
      String asked = peer.hear();
      // Somebody else's, which come late; and what it thinks of sentinels.
      peer.say(
          "\u00ff{\"return\": 4711}\n\u00ff{\"return\": {}}\n\u00ff{\"return\": 1, \"id\": 2}\n");
      peer.say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"stray\"}}\n");
      peer.say("\u00ff{\"return\": " + asked.replaceAll("(?s).*\"id\":(\\d+)},.*", "$1") + "}\n");
      try (GuestAgent agent = client.join()) {
        CompletableFuture<JsonNode> answer =
            CompletableFuture.supplyAsync(() -> agent.execute("guest-get-time"));
        assertThat(peer.hear()).contains("guest-get-time");
        peer.say("{\"return\": 7}\n");
        assertThat(answer.join().asInt()).isEqualTo(7);
      }
    }
  }
}
