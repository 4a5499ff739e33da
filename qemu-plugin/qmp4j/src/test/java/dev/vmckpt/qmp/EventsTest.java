// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Events of a real QEMU, which says RESUME at each cont and STOP at each stop. */
class EventsTest extends ConnectedTest {
  private void goAndStop(int times) {
    for (int i = 0; i < times; i++) {
      qmp.execute("cont");
      qmp.execute("stop");
    }
  }

  @Test
  void listenersHearAllInOrderUntilTheyEnd() {
    List<String> heard = Collections.synchronizedList(new ArrayList<>());
    Subscription subscription = qmp.events().listen(event -> heard.add(event.name()));
    goAndStop(3);
    // All of what the server sent before an answer is heard before the answer.
    assertThat(heard).containsExactly("RESUME", "STOP", "RESUME", "STOP", "RESUME", "STOP");
    subscription.close();
    subscription.close();
    goAndStop(1);
    assertThat(heard).hasSize(6);
  }

  @Test
  void aListenerThatThrowsHarmsNobodyElse() {
    List<Throwable> told = Collections.synchronizedList(new ArrayList<>());
    CompletableFuture<Thread> reader = new CompletableFuture<>();
    qmp.events()
        .listen(
            event -> {
              Thread now = Thread.currentThread();
              now.setUncaughtExceptionHandler((thread, thrown) -> told.add(thrown));
              now.interrupt();
              reader.complete(now);
              throw new IllegalArgumentException("a bad listener");
            });
    List<String> heard = Collections.synchronizedList(new ArrayList<>());
    qmp.events().listen(event -> heard.add(event.name()));
    goAndStop(2);
    assertThat(heard).hasSize(4);
    assertThat(told).hasSize(4).allMatch(IllegalArgumentException.class::isInstance);
    assertThat(reader.join().isDaemon()).isTrue();
  }

  @Test
  void aListenerMayCloseAndSubmitButNotWait() {
    CompletableFuture<Throwable> thrown = new CompletableFuture<>();
    CompletableFuture<Pending<?>> submitted = new CompletableFuture<>();
    CompletableFuture<QmpException> ended = qmp.ended();
    try (EventQueue queue = qmp.events().queue()) {
      qmp.events()
          .listen(
              event -> {
                submitted.complete(qmp.submit("query-name"));
                try {
                  queue.next(PATIENCE);
                } catch (IllegalStateException e) {
                  thrown.complete(e);
                }
                if (event.name().equals("STOP")) {
                  qmp.close();
                }
              });
      qmp.execute("cont");
      assertThat(submitted.join().get()).isNotNull();
      assertThat(thrown.join()).hasMessageContaining("wait for itself");
      try {
        qmp.execute("stop");
      } catch (QmpClosedException e) {
        assertThat(e).hasMessageContaining("closed on this side");
      }
      assertThat(ended.join()).isInstanceOf(QmpClosedException.class);
    }
  }

  @Test
  void aFullQueueTellsHowManyItLost() {
    try (EventQueue queue = qmp.events().queue(3)) {
      goAndStop(5);
      assertThat(queue.next(PATIENCE).name()).isEqualTo("RESUME");
      assertThat(queue.next(PATIENCE).name()).isEqualTo("STOP");
      qmp.execute("cont");
      assertThat(queue.next(PATIENCE).name()).isEqualTo("RESUME");
      assertThatThrownBy(() -> queue.next(PATIENCE))
          .isInstanceOfSatisfying(
              QmpEventsLostException.class, e -> assertThat(e.lost()).isEqualTo(8));
      assertThat(queue.poll()).isNull();
      qmp.execute("stop");
      assertThat(queue.next(PATIENCE).name()).isEqualTo("STOP");
    }
    assertThatThrownBy(() -> qmp.events().queue(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void waitingEndsByTimeByInterruptAndByClosing() {
    EventQueue queue = qmp.events().queue();
    assertThatThrownBy(() -> queue.next(SOON)).isInstanceOf(QmpTimeoutException.class);
    assertThatThrownBy(() -> queue.next(Duration.ZERO)).isInstanceOf(QmpTimeoutException.class);
    assertThatThrownBy(() -> queue.await("NO_SUCH", SOON))
        .isInstanceOf(QmpTimeoutException.class)
        .hasMessageContaining("NO_SUCH");
    assertThatThrownBy(() -> qmp.events().await("NO_SUCH", SOON))
        .isInstanceOf(QmpTimeoutException.class);
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> queue.next(PATIENCE)).isInstanceOf(QmpInterruptedException.class);
    assertThat(Thread.interrupted()).isTrue();
    qmp.execute("cont");
    assertThat(queue.next(PATIENCE).name()).isEqualTo("RESUME");
    queue.close();
    assertThatThrownBy(() -> queue.next(PATIENCE)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void awaitsWhatAnotherThreadCauses() {
    CompletableFuture<QmpEvent> awaited =
        CompletableFuture.supplyAsync(
            () -> qmp.events().await("STOP", event -> event.data().isObject(), PATIENCE));
    // The wait may not have begun yet: once is not enough.
    while (!awaited.isDone()) {
      goAndStop(1);
    }
    assertThat(awaited.join().name()).isEqualTo("STOP");
  }

  @Test
  void aConditionThatThrowsFailsOnlyItsOwn() {
    Pending<QmpEvent> bad =
        qmp.events()
            .expect(
                "STOP",
                event -> {
                  throw new IllegalArgumentException("a bad condition");
                });
    Pending<QmpEvent> cancelled = qmp.events().expect("STOP");
    assertThat(cancelled.cancel()).isTrue();
    goAndStop(1);
    assertThatThrownBy(bad::get).hasRootCauseMessage("a bad condition");
    assertThat(qmp.execute("query-name").isObject()).isTrue();
  }

  @Test
  void whatIsInAQueueOutlivesTheConnection() {
    EventQueue queue = qmp.events().queue();
    goAndStop(1);
    qmp.close();
    assertThat(queue.next(PATIENCE).name()).isEqualTo("RESUME");
    assertThat(queue.next(PATIENCE).name()).isEqualTo("STOP");
    assertThatThrownBy(() -> queue.next(PATIENCE)).isInstanceOf(QmpClosedException.class);
    assertThatThrownBy(() -> qmp.events().queue().poll()).isInstanceOf(QmpClosedException.class);
  }
}
