// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The events since it was opened, in the order the server sent them. What the server sent before
 * the answer to a command is in here when that command has returned.
 *
 * <p>It holds a number of events. Those that come while it is full are lost, which is never silent:
 * whoever reads is told of it at that place. Nothing blocks the reader, which would keep back the
 * answers too.
 *
 * <p>When the connection has ended, what is in here can still be read; then the end is thrown.
 */
public final class EventQueue implements Subscription {
  private final Connection connection;
  private final Events events;
  private final int capacity;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Deque<QmpEvent> kept = new ArrayDeque<>();
  private long lost;
  private boolean closed;
  private @Nullable QmpException end;

  EventQueue(Connection connection, Events events, int capacity) {
    this.connection = connection;
    this.events = events;
    this.capacity = capacity;
  }

  void put(QmpEvent event) {
    lock.lock();
    try {
      // A gap is one place: nothing is kept behind it until it has been told.
      if (kept.size() < capacity && lost == 0) {
        kept.add(event);
      } else {
        lost++;
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  void end(QmpException why) {
    lock.lock();
    try {
      end = why;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the next event if there is one; does not wait.
   *
   * @throws QmpEventsLostException if the queue was full at this place
   * @throws QmpClosedException if the connection has ended
   * @throws QmpProtocolException if the connection has ended by what is no QMP
   * @throws IllegalStateException if this queue is closed
   */
  public @Nullable QmpEvent poll() {
    lock.lock();
    try {
      QmpEvent next = kept.poll();
      if (next != null) {
        return next;
      }
      if (lost > 0) {
        long now = lost;
        lost = 0;
        throw new QmpEventsLostException(now, null);
      }
      if (closed) {
        throw new IllegalStateException("this queue of events is closed");
      }
      if (end != null) {
        throw end.again();
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the next event, and waits for it.
   *
   * @param timeout how long at most; zero or less does not wait
   * @throws QmpTimeoutException if none came in time
   * @throws QmpInterruptedException if the calling thread was interrupted before or while it waited
   * @throws QmpException as {@link #poll} does
   * @throws IllegalStateException on the reader
   */
  public QmpEvent next(Duration timeout) {
    return next("an event", Deadline.in(timeout));
  }

  /**
   * Takes events until one has a name and fulfils a condition, and returns that one. The ones
   * before it are taken out too, and passed over.
   *
   * @param timeout for all of it
   * @throws QmpException as {@link #next} does
   */
  public QmpEvent await(String name, Predicate<? super QmpEvent> condition, Duration timeout) {
    Deadline deadline = Deadline.in(timeout);
    while (true) {
      QmpEvent event = next(name, deadline);
      if (event.name().equals(name) && condition.test(event)) {
        return event;
      }
    }
  }

  /**
   * Takes events until one has a name, and returns that one.
   *
   * @throws QmpException as {@link #next} does
   */
  public QmpEvent await(String name, Duration timeout) {
    return await(name, event -> true, timeout);
  }

  private QmpEvent next(String what, Deadline deadline) {
    connection.checkMayWait();
    lock.lock();
    try {
      while (true) {
        QmpEvent event = poll();
        if (event != null) {
          return event;
        }
        long left = deadline.nanos();
        if (left == 0) {
          throw new QmpTimeoutException(what + ": nothing within " + deadline, null);
        }
        changed.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new QmpInterruptedException(what + ": interrupted", e);
    } finally {
      lock.unlock();
    }
  }

  /** Forgets what is in here; nothing more comes. */
  @Override
  public void close() {
    events.remove(this);
    lock.lock();
    try {
      closed = true;
      kept.clear();
      lost = 0;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
