// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * The one operating-system thread that makes every ptrace call: to the kernel the tracer is a
 * thread, not a process (ptrace(2)).
 */
public final class TracerThread implements AutoCloseable {
  private static final Runnable END = new End();

  private final LinkedBlockingQueue<Runnable> work = new LinkedBlockingQueue<>();
  private final Thread thread;

  /** Starts the thread. */
  public TracerThread() {
    thread = new Thread(new Loop(), "vmckpt-tracer");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Runs {@code task} on the tracer thread and waits for it.
   *
   * @throws RuntimeException whatever the task threw, as it is; what is no RuntimeException is
   *     wrapped
   */
  public <T> T run(Callable<T> task) {
    FutureTask<T> future = new FutureTask<>(task);
    work.add(future);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return future.get();
        } catch (InterruptedException e) {
          // What runs there holds a frozen target: it is never abandoned half way.
          interrupted = true;
        } catch (ExecutionException e) {
          if (e.getCause() instanceof RuntimeException cause) {
            throw cause;
          }
          if (e.getCause() instanceof Error cause) {
            throw cause;
          }
          throw new IllegalStateException(e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Ends the thread; what it still traces is let go by the kernel. */
  @Override
  public void close() {
    work.add(END);
  }

  private static final class End implements Runnable {
    @Override
    public void run() {}
  }

  private final class Loop implements Runnable {
    @Override
    public void run() {
      try {
        for (Runnable next = work.take(); next != END; next = work.take()) {
          next.run();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
