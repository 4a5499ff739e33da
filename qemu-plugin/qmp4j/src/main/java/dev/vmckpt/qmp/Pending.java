// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Something that will come: the answer to a command, or an event.
 *
 * <p>May be asked by any number of threads, any number of times, but never waited for on the
 * reader.
 *
 * @param <T> what will come
 */
public final class Pending<T> {
  private final String what;
  private final CompletableFuture<T> future;
  private final Connection connection;
  private final Runnable onCancel;

  /**
   * Something that comes by a future.
   *
   * @param onCancel what is done when it is given up before it came
   */
  Pending(String what, CompletableFuture<T> future, Connection connection, Runnable onCancel) {
    this.onCancel = onCancel;
    this.what = what;
    this.future = future;
    this.connection = connection;
  }

  /**
   * Waits for it, as long as the {@linkplain QmpOptions#timeout() timeout of the connection}.
   *
   * @throws QmpException as {@link #get(Duration)} does
   */
  public T get() {
    return get(connection.timeout());
  }

  /**
   * Waits for it.
   *
   * @param timeout how long at most; zero or less does not wait. When it is over this is still
   *     pending, and may be waited for again.
   * @throws QmpErrorException if the server refused the command or failed in it
   * @throws QmpTimeoutException if it did not come in time
   * @throws QmpClosedException if the connection was closed before it came
   * @throws QmpProtocolException if the server sent what is no QMP before it came
   * @throws QmpInterruptedException if the calling thread was interrupted before or while it waited
   * @throws CancellationException if it was cancelled
   * @throws IllegalStateException on the reader, unless it {@linkplain #isDone() has come}
   */
  public T get(Duration timeout) {
    return get(Deadline.in(timeout));
  }

  T get(Deadline deadline) {
    if (!future.isDone()) {
      connection.checkMayWait();
    }
    try {
      return future.get(deadline.nanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw new QmpTimeoutException(
          what + ": nothing within " + deadline + connection.whyNotYet(), null);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new QmpInterruptedException(what + ": interrupted", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof QmpException qmp) {
        throw qmp.again();
      }
      throw new IllegalStateException(what, e.getCause());
    }
  }

  /**
   * Gives it up. A command that was not sent yet never will be; of one that was sent the answer is
   * passed over, but the server carries it out all the same: QMP cannot take a command back.
   *
   * @return false if it had come before, or had been cancelled
   */
  public boolean cancel() {
    boolean first = !future.isDone() && future.cancel(false);
    if (first) {
      onCancel.run();
    }
    return first;
  }

  /** Whether it has come, failed, or was cancelled. */
  public boolean isDone() {
    return future.isDone();
  }

  /**
   * The same as a future of its own: to complete or cancel it has no effect here. Its dependent
   * stages run on the reader, or on the thread that closes, unless they are asynchronous: they must
   * not wait. It fails with what {@link #get(Duration)} throws.
   */
  public CompletableFuture<T> toFuture() {
    return future.copy();
  }

  @Override
  public String toString() {
    return what + (future.isDone() ? " (done)" : " (pending)");
  }
}
