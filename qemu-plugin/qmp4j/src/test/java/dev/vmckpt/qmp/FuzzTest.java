// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Conversations with real servers, spoilt at random: whatever comes is a message or a {@link
 * QmpException}. A seed that failed is tried again by {@code -Dqmp.seed=N}.
 */
@Timeout(300)
class FuzzTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final QmpOptions OPTIONS = QmpOptions.DEFAULT.withTimeout(PATIENCE);
  private static final Limits LIMITS = new Limits(100_000, 50, 10_000);
  private static final int PARSED = 4_000;
  private static final int CONNECTED = 400;
  private static final String[] COMMANDS = {
    "query-status", "query-version", "no-such", "cont", "query-chardev", "stop", "query-kvm"
  };

  @TempDir static Path folder;

  /** A greeting, an agreement, and the rest; as one line each, and pretty. */
  private static byte[][] plain;

  private static byte[][] pretty;
  private static byte[] agent;

  private final long seed = Long.getLong("qmp.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @BeforeAll
  static void record() throws IOException {
    plain = record("-qmp");
    pretty = record("-qmp-pretty");
    try (RealAgent server = new RealAgent(folder)) {
      Recording recording = open(server.socket());
      try (GuestAgent client = GuestAgent.adopt(recording, OPTIONS)) {
        client.execute("guest-info");
        client.execute("guest-get-osinfo");
        client.sync();
        client.execute("guest-ping");
      }
      agent = recording.take();
    }
  }

  private static byte[][] record(String option) throws IOException {
    Path socket = folder.resolve(option);
    try (RealServer server = RealServer.qemu(option, "unix:" + socket + ",server=on,wait=off")) {
      Recording recording = open(socket);
      byte[][] parts = new byte[3][];
      try (Qmp qmp = Qmp.adopt(recording, OPTIONS)) {
        String both = new String(recording.take(), StandardCharsets.UTF_8);
        int agreement = both.indexOf("\"return\"");
        agreement = both.lastIndexOf('{', agreement);
        parts[0] = both.substring(0, agreement).getBytes(StandardCharsets.UTF_8);
        parts[1] = both.substring(agreement).getBytes(StandardCharsets.UTF_8);
        List<Pending<JsonNode>> answers = ask(qmp);
        answers.forEach(FuzzTest::outcome);
      }
      parts[2] = recording.take();
      assertThat(server.isAlive()).isTrue();
      return parts;
    }
  }

  private static Recording open(Path socket) throws IOException {
    return new Recording(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
  }

  private static List<Pending<JsonNode>> ask(Qmp qmp) {
    List<Pending<JsonNode>> answers = new ArrayList<>();
    for (String command : COMMANDS) {
      answers.add(qmp.submit(command));
    }
    return answers;
  }

  /** What became of a command: never a timeout, for everybody has hung up. */
  private static String outcome(Pending<JsonNode> answer) {
    try {
      answer.get(PATIENCE);
      return "answer";
    } catch (QmpErrorException | QmpClosedException | QmpProtocolException e) {
      return e.getClass().getSimpleName();
    }
  }

  private Mutation mutation() {
    System.out.println(getClass().getSimpleName() + ": -Dqmp.seed=" + seed);
    return new Mutation(random, List.of(plain[0], plain[2], pretty[2], agent));
  }

  @Test
  void theParserEndsInMessagesOrAProtocolError() {
    Mutation mutation = mutation();
    int whole = 0;
    int failed = 0;
    for (int i = 0; i < PARSED; i++) {
      byte[] original = List.of(plain[2], pretty[2], agent).get(i % 3);
      byte[] spoilt = mutation.of(original);
      MessageReader reader = new MessageReader(LIMITS, i % 3 == 2);
      List<ObjectNode> messages = new ArrayList<>();
      try {
        for (int at = 0; at < spoilt.length; ) {
          int next = Math.min(spoilt.length, at + 1 + random.nextInt(1000));
          reader.feed(spoilt, at, next, messages::add);
          at = next;
        }
        whole++;
      } catch (QmpProtocolException e) {
        assertThat(e.getMessage()).matches("[ -~]*");
        failed++;
      }
    }
    System.out.println(whole + " conversations were read, " + failed + " were none");
    assertThat(failed).isPositive();
    assertThat(whole).isPositive();
  }

  @Test
  void aConnectionEndsInAnswersOrItsOwnExceptions() {
    Mutation mutation = mutation();
    for (int i = 0; i < CONNECTED; i++) {
      byte[][] parts = (i % 2 == 0 ? plain : pretty).clone();
      parts[2] = mutation.of(parts[2]);
      try (Qmp qmp =
          Qmp.adopt(new Playback(parts, 0, 1, 1 + COMMANDS.length), OPTIONS.withLimits(LIMITS))) {
        List<Pending<JsonNode>> answers = ask(qmp);
        answers.forEach(FuzzTest::outcome);
        assertThat(qmp.ended().join())
            .isInstanceOfAny(QmpClosedException.class, QmpProtocolException.class);
      }
    }
  }

  @Test
  void whatIsNotSpoiltIsAnswered() {
    for (byte[][] parts : List.of(plain, pretty)) {
      try (Qmp qmp = Qmp.adopt(new Playback(parts, 0, 1, 1 + COMMANDS.length), OPTIONS)) {
        List<String> outcomes = new ArrayList<>();
        ask(qmp).forEach(answer -> outcomes.add(outcome(answer)));
        assertThat(outcomes)
            .containsExactly(
                "answer", "answer", "QmpErrorException", "answer", "answer", "answer", "answer");
      }
    }
  }
}
