// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands, answers and errors of a real QEMU. */
@Timeout(120)
class QmpTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir static Path folder;
  private static RealServer server;

  @BeforeAll
  static void start() {
    server = RealServer.at(folder.resolve("qmp"));
  }

  @AfterAll
  static void end() {
    server.close();
  }

  private static Qmp connect() {
    return Qmp.connect(folder.resolve("qmp"), PATIENCE);
  }

  @Test
  void greetsAndAnswers() {
    try (Qmp qmp = connect()) {
      assertThat(qmp.greeting().major()).isGreaterThanOrEqualTo(5);
      assertThat(qmp.greeting().atLeast(5, 0)).isTrue();
      assertThat(qmp.greeting().atLeast(99, 0)).isFalse();
      assertThat(qmp.greeting().capabilities()).contains("oob");
      assertThat(qmp.isOutOfBand()).isTrue();
      JsonNode status = qmp.execute("query-status");
      assertThat(status.path("status").asText()).isEqualTo("prelaunch");
      assertThat(status.path("running").asBoolean(true)).isFalse();
    }
  }

  @Test
  void oneClientAfterTheOther() {
    for (int i = 0; i < 20; i++) {
      try (Qmp qmp = connect()) {
        assertThat(qmp.execute("query-name").isObject()).isTrue();
      }
    }
  }

  @Test
  void errorsHaveTheirClassAndWords() {
    try (Qmp qmp = connect()) {
      assertThatThrownBy(() -> qmp.execute("no-such"))
          .isInstanceOfSatisfying(
              QmpErrorException.class,
              e -> {
                assertThat(e.errorClass()).isEqualTo(ErrorClass.COMMAND_NOT_FOUND);
                assertThat(e.errorClassText()).isEqualTo("CommandNotFound");
                assertThat(e.command()).isEqualTo("no-such");
                assertThat(e.description()).contains("no-such");
              })
          .hasMessageContaining("no-such");
      assertThatThrownBy(() -> qmp.execute("device_del", args -> args.put("id", "none")))
          .isInstanceOfSatisfying(
              QmpErrorException.class,
              e -> assertThat(e.errorClass()).isEqualTo(ErrorClass.DEVICE_NOT_FOUND));
      assertThatThrownBy(() -> qmp.execute("device_del", args -> args.put("x", 1)))
          .isInstanceOfSatisfying(
              QmpErrorException.class,
              e -> assertThat(e.errorClass()).isEqualTo(ErrorClass.GENERIC_ERROR));
      assertThat(qmp.execute("query-name").isObject()).isTrue();
    }
  }

  @Test
  void noEventIsLostBetweenSubscribingAndReading() {
    try (Qmp qmp = connect();
        EventQueue events = qmp.events().queue()) {
      Pending<QmpEvent> stopped = qmp.events().expect("STOP");
      qmp.execute("cont");
      qmp.execute("stop");
      QmpEvent resume = events.await("RESUME", PATIENCE);
      QmpEvent stop = events.await("STOP", event -> event.data().isEmpty(), PATIENCE);
      assertThat(stop.microseconds()).isBetween(0L, 999_999L);
      assertThat(resume.time()).isBetween(Instant.now().minusSeconds(60), Instant.now());
      assertThat(stop.time()).isAfter(resume.time());
      assertThat(stopped.get()).isEqualTo(stop);
      assertThat(events.poll()).isNull();
    }
  }
}
