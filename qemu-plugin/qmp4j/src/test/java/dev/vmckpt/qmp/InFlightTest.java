// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.UnixDomainSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Commands that wait: for each other, in vain, until they are cancelled, or interrupted. */
class InFlightTest extends ConnectedTest {
  /** What can be sent is, all of it, before anything is read: when this has its answer, that is. */
  private void awaitSent() {
    assertThat(qmp.executeOob("query-yank", none -> {}).isArray()).isTrue();
  }

  @Test
  void outOfBandOvertakesAnyNumberOfOthers() {
    Blocked blocked = Blocked.by(qmp, folder.resolve("pipe"));
    List<Pending<JsonNode>> behind = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      behind.add(qmp.submit("query-status"));
    }
    assertThat(qmp.executeOob("query-yank", none -> {}).isArray()).isTrue();
    assertThat(blocked.answer().isDone()).isFalse();
    assertThat(behind.get(0).isDone()).isFalse();

    blocked.letGo();
    assertThat(blocked.answer().get().isObject()).isTrue();
    for (Pending<JsonNode> each : behind) {
      assertThat(each.get().path("status").asText()).isEqualTo("prelaunch");
    }
  }

  @Test
  void whatMayNotGoOutOfBandIsRefusedByTheServer() {
    assertThatThrownBy(() -> qmp.executeOob("query-status", none -> {}))
        .isInstanceOf(QmpErrorException.class);
  }

  @Test
  void outOfBandMustHaveBeenEnabled() {
    qmp.close();
    try (Qmp plain =
        Qmp.connect(
            UnixDomainSocketAddress.of(folder.resolve("qmp")),
            QmpOptions.DEFAULT.withoutOutOfBand())) {
      assertThat(plain.isOutOfBand()).isFalse();
      assertThatThrownBy(() -> plain.executeOob("query-yank", none -> {}))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("query-yank");
      List<Pending<JsonNode>> many = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        many.add(plain.submit("query-status"));
      }
      for (Pending<JsonNode> each : many) {
        assertThat(each.get().has("status")).isTrue();
      }
    }
  }

  @Test
  void aTimeoutSaysWhatIsInTheWayAndCostsNothing() {
    Blocked blocked = Blocked.by(qmp, folder.resolve("pipe"));
    assertThatThrownBy(() -> qmp.execute("query-status", none -> {}, SOON))
        .isInstanceOf(QmpTimeoutException.class)
        .hasMessageContainingAll("query-status", "0.2 s", "pmemsave");
    assertThatThrownBy(() -> blocked.answer().get(SOON)).isInstanceOf(QmpTimeoutException.class);
    blocked.letGo();
    // A wait that was over is none of the command's end.
    assertThat(blocked.answer().get().isObject()).isTrue();
    assertThat(qmp.execute("query-name").isObject()).isTrue();
  }

  @Test
  void whatIsCancelledBeforeItIsSentIsNeverSent() {
    Blocked blocked = Blocked.by(qmp, folder.resolve("pipe"));
    List<Pending<JsonNode>> sent = new ArrayList<>();
    for (int i = 1; i < Commands.MAX_IN_BAND; i++) {
      sent.add(qmp.submit("query-status"));
    }
    Pending<JsonNode> cont = qmp.submit("cont");
    awaitSent();
    assertThat(sent.get(0).cancel()).isTrue();
    assertThat(cont.cancel()).isTrue();
    assertThat(cont.cancel()).isFalse();
    assertThat(cont.isDone()).isTrue();
    assertThatThrownBy(cont::get).isInstanceOf(CancellationException.class);
    assertThatThrownBy(sent.get(0)::get).isInstanceOf(CancellationException.class);

    blocked.letGo();
    assertThat(sent.get(6).get().path("running").asBoolean(true)).isFalse();
    assertThat(qmp.execute("query-status").path("running").asBoolean(true)).isFalse();
    assertThat(sent.get(6).cancel()).isFalse();
  }

  @Test
  void aKilledServerFailsAllThatWaitsAndSaysWhatItWas() {
    Blocked blocked = Blocked.by(qmp, folder.resolve("pipe"));
    Pending<JsonNode> second = qmp.submit("query-status");
    Pending<QmpEvent> event = qmp.events().expect("STOP");
    CompletableFuture<QmpException> ended = qmp.ended();
    EventQueue events = qmp.events().queue();
    awaitSent();
    assertThat(qmp.isOpen()).isTrue();
    server().kill();

    assertThatThrownBy(blocked.answer()::get)
        .isInstanceOfSatisfying(
            QmpClosedException.class,
            e -> assertThat(e.inFlight()).containsExactly("pmemsave", "query-status"))
        .hasMessageContaining("without an answer: pmemsave, query-status");
    assertThatThrownBy(second::get).isInstanceOf(QmpClosedException.class);
    assertThatThrownBy(event::get).isInstanceOf(QmpClosedException.class);
    assertThatThrownBy(() -> events.next(PATIENCE)).isInstanceOf(QmpClosedException.class);
    assertThatThrownBy(() -> qmp.execute("query-name")).isInstanceOf(QmpClosedException.class);
    assertThatThrownBy(() -> qmp.events().await("STOP", PATIENCE))
        .isInstanceOf(QmpClosedException.class);
    assertThat(ended.join()).isInstanceOf(QmpClosedException.class);
    assertThat(qmp.isOpen()).isFalse();
  }

  @Test
  void closingFailsAllThatWaits() {
    Blocked blocked = Blocked.by(qmp, folder.resolve("pipe"));
    CompletableFuture<JsonNode> future = blocked.answer().toFuture();
    qmp.close();
    qmp.close();
    assertThatThrownBy(blocked.answer()::get)
        .isInstanceOf(QmpClosedException.class)
        .hasMessageContaining("was closed");
    assertThatThrownBy(future::join)
        .isInstanceOf(CompletionException.class)
        .hasCauseInstanceOf(QmpClosedException.class);
    assertThatThrownBy(() -> qmp.submit("query-name")).isInstanceOf(QmpClosedException.class);
  }

  @Test
  void theLastAnswerOfAServerThatEndsIsNotLost() {
    Pending<JsonNode> quit = qmp.submit("quit");
    Pending<JsonNode> after = qmp.submit("query-status");
    assertThat(quit.get().isObject()).isTrue();
    server().awaitEnd();
    try {
      after.get();
    } catch (QmpClosedException e) {
      // A server that ends quickly is gone before it was sent.
      assertThat(e.inFlight()).isSubsetOf("query-status");
    } catch (QmpErrorException e) {
      assertThat(e.command()).isEqualTo("query-status");
    }
  }

  @Test
  void anInterruptEndsTheWaitAndNotTheConnection() throws Exception {
    Blocked blocked = Blocked.by(qmp, folder.resolve("pipe"));
    CompletableFuture<Boolean> status = new CompletableFuture<>();
    CompletableFuture<Throwable> thrown = new CompletableFuture<>();
    Thread waiting =
        new Thread(
            () -> {
              try {
                qmp.execute("query-status");
              } catch (QmpException e) {
                thrown.complete(e);
              }
              status.complete(Thread.currentThread().isInterrupted());
            });
    waiting.start();
    // Before or within the wait, it is the same.
    waiting.interrupt();
    assertThat(thrown.get(60, TimeUnit.SECONDS)).isInstanceOf(QmpInterruptedException.class);
    assertThat(status.get(60, TimeUnit.SECONDS)).isTrue();
    waiting.join();

    Thread.currentThread().interrupt();
    Pending<JsonNode> pending = qmp.submit("query-name");
    assertThatThrownBy(pending::get).isInstanceOf(QmpInterruptedException.class);
    assertThat(Thread.interrupted()).isTrue();
    blocked.letGo();
    assertThat(pending.get().isObject()).isTrue();
  }

  @Test
  void manyThreadsGetEachItsOwnAnswer() {
    List<CompletableFuture<Void>> all = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      String name = "thread" + i;
      all.add(
          CompletableFuture.runAsync(
              () -> {
                for (int k = 0; k < 100; k++) {
                  String id = name + "-" + k;
                  assertThatThrownBy(() -> qmp.execute("device_del", args -> args.put("id", id)))
                      .isInstanceOf(QmpErrorException.class)
                      .hasMessageContaining("'" + id + "'");
                }
              }));
    }
    all.forEach(CompletableFuture::join);
  }

  @Test
  void nobodyWaitsOnTheReader() {
    CompletableFuture<Throwable> thrown = new CompletableFuture<>();
    CompletableFuture<Pending<JsonNode>> submitted = new CompletableFuture<>();
    CompletableFuture<Void> stage =
        qmp.submit("query-status")
            .toFuture()
            .thenAccept(
                status -> {
                  submitted.complete(qmp.submit("query-name"));
                  try {
                    qmp.execute("query-name");
                  } catch (IllegalStateException e) {
                    thrown.complete(e);
                  }
                });
    // A stage of what had come already runs here, where one may wait.
    stage.join();
    if (thrown.isDone()) {
      assertThat(thrown.join()).hasMessageContaining("wait for itself");
    }
    assertThat(submitted.join().get().isObject()).isTrue();
  }
}
