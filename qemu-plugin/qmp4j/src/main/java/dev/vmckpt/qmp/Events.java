// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The events of a connection. Whoever subscribes gets all that are read after the call, none lost,
 * in order; so subscribe first, and then execute what causes them:
 *
 * <pre>{@code
 * Pending<QmpEvent> stopped = qmp.events().expect("STOP");
 * qmp.execute("stop");
 * stopped.get();
 * }</pre>
 *
 * <p>Events are read and handed out between answers, in the order the server sent both.
 */
public final class Events {
  private static final int DEFAULT_CAPACITY = 10_000;

  /** One who waits for one event. */
  private record Expected(
      String name, Predicate<? super QmpEvent> condition, CompletableFuture<QmpEvent> future) {
    Expected(String name, Predicate<? super QmpEvent> condition) {
      this(name, condition, new CompletableFuture<>());
    }

    boolean isDoneBy(QmpEvent event) {
      try {
        if (event.name().equals(name) && condition.test(event)) {
          future.complete(event);
        }
      } catch (RuntimeException | Error e) {
        future.completeExceptionally(e);
      }
      return future.isDone();
    }
  }

  private final Connection connection;
  private final List<Consumer<QmpEvent>> listeners = new CopyOnWriteArrayList<>();
  private final List<EventQueue> queues = new CopyOnWriteArrayList<>();
  private final List<Expected> expected = new CopyOnWriteArrayList<>();
  private volatile @Nullable QmpException end;

  Events(Connection connection) {
    this.connection = connection;
  }

  /**
   * Has a listener called for each event, on the reader: it must return soon and must not wait; it
   * may submit. What it throws goes to the reader's {@link Thread.UncaughtExceptionHandler}, and
   * neither the connection nor other listeners notice.
   */
  public Subscription listen(Consumer<? super QmpEvent> listener) {
    // An object of its own for each call, so that one listener may be subscribed twice.
    Consumer<QmpEvent> own = listener::accept;
    listeners.add(own);
    return () -> listeners.remove(own);
  }

  /** Opens a queue of 10000 events. */
  public EventQueue queue() {
    return queue(DEFAULT_CAPACITY);
  }

  /**
   * Opens a queue.
   *
   * @param capacity how many events it holds, 1 or more
   */
  public EventQueue queue(int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("a queue for " + capacity + " events");
    }
    EventQueue queue = new EventQueue(connection, this, capacity);
    queues.add(queue);
    endIfEnded();
    return queue;
  }

  /**
   * The next event of a name that fulfils a condition, from now on.
   *
   * @param condition is tested on the reader: it must return soon and must not wait. If it throws,
   *     waiting for the event throws {@link IllegalStateException} with that as its cause.
   */
  public Pending<QmpEvent> expect(String name, Predicate<? super QmpEvent> condition) {
    Expected one = new Expected(name, condition);
    expected.add(one);
    endIfEnded();
    return new Pending<>(name, one.future, connection, () -> expected.remove(one));
  }

  /** The next event of a name, from now on. */
  public Pending<QmpEvent> expect(String name) {
    return expect(name, event -> true);
  }

  /**
   * Waits for the next event of a name that fulfils a condition, from now on. What came before the
   * call is not seen: use {@link #expect} before a command that causes it.
   *
   * @param timeout how long at most
   * @throws QmpException as {@link Pending#get(Duration)} does
   */
  public QmpEvent await(String name, Predicate<? super QmpEvent> condition, Duration timeout) {
    Pending<QmpEvent> pending = expect(name, condition);
    try {
      return pending.get(timeout);
    } finally {
      pending.cancel();
    }
  }

  /** Waits for the next event of a name, from now on. */
  public QmpEvent await(String name, Duration timeout) {
    return await(name, event -> true, timeout);
  }

  void remove(EventQueue queue) {
    queues.remove(queue);
  }

  void dispatch(QmpEvent event) {
    for (EventQueue each : queues) {
      each.put(event);
    }
    List<Expected> done = new ArrayList<>();
    for (Expected each : expected) {
      if (each.isDoneBy(event)) {
        done.add(each);
      }
    }
    expected.removeAll(done);
    for (Consumer<QmpEvent> each : listeners) {
      try {
        each.accept(event);
      } catch (RuntimeException | Error e) {
        tell(e);
      }
    }
  }

  private static void tell(Throwable thrown) {
    Thread now = Thread.currentThread();
    try {
      now.getUncaughtExceptionHandler().uncaughtException(now, thrown);
    } catch (RuntimeException | Error e) {
      // Nobody else is left to be told, which is what the JVM does with it too.
    }
  }

  void end(QmpException why) {
    end = why;
    endIfEnded();
  }

  private void endIfEnded() {
    QmpException why = end;
    if (why == null) {
      return;
    }
    for (EventQueue each : queues) {
      each.end(why);
    }
    for (Expected each : expected) {
      each.future.completeExceptionally(why);
    }
  }
}
