// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.SetupTracer;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.setup.SetupListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A command that is recorded while it sets itself up, then let go, and waited for.
 *
 * <p>It is our child, in our own process group: what a terminal sends to one it sends to both.
 */
public final class MonitorRun {
  private static final int SIGINT = 2;
  private static final long POLL_NANOS = 100_000;

  private final List<SetupListener> listeners;
  private final CountDownLatch started = new CountDownLatch(1);
  private final Thread thread;
  private final SetupTracer tracer;
  private volatile int pid;
  private volatile long tracerTid;
  private volatile @Nullable Throwable failure;
  private volatile boolean settled;
  private volatile boolean over;

  /**
   * What came of the recording.
   *
   * @param settled whether the listeners heard all they wanted
   * @param kept what they kept
   * @param failures why something could not be kept; the command runs on nevertheless
   */
  public record Outcome(
      boolean settled, List<SetupListener.Kept> kept, List<VmckptException> failures) {}

  private MonitorRun(RunRequest request, List<SetupListener> listeners) {
    this.listeners = listeners;
    tracer = new SetupTracer(request, listeners);
    thread = new Thread(new Tracing(), "vmckpt-recorder");
    thread.setDaemon(true);
  }

  /**
   * Starts a command; it runs and is being recorded when this returns.
   *
   * @param listeners fresh ones
   * @throws dev.vmckpt.spi.error.SyscallException if it cannot be executed; the errno says why
   * @throws dev.vmckpt.spi.error.NotPermittedException if nothing can be traced here
   */
  public static MonitorRun start(RunRequest request, List<SetupListener> listeners) {
    MonitorRun run = new MonitorRun(request, listeners);
    run.thread.start();
    await(run.started);
    Throwable failure = run.failure;
    if (run.pid == 0 && failure != null) {
      throw thrown(failure);
    }
    return run;
  }

  /** The command's number. */
  public int pid() {
    return pid;
  }

  /**
   * Waits until everything was heard and the command is no longer traced, and has it kept.
   *
   * @throws FailureException if the recorder failed; the command runs on
   */
  public Outcome awaitRecorded() {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    // What it traced is let go when the kernel is done with the thread, a moment after Java is.
    while (Files.exists(Path.of("/proc/self/task/" + tracerTid))) {
      LockSupport.parkNanos(POLL_NANOS);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    Throwable thrown = failure;
    if (thrown != null) {
      throw thrown(thrown);
    }
    List<SetupListener.Kept> kept = new ArrayList<>();
    List<VmckptException> failures = new ArrayList<>();
    for (SetupListener listener : listeners) {
      try {
        kept.addAll(listener.keep(settled));
      } catch (VmckptException e) {
        failures.add(e);
      }
    }
    return new Outcome(settled, kept, failures);
  }

  /**
   * Waits until the command ends; it must be recorded.
   *
   * @return its exit code, or 128 and the signal that ended it
   */
  public int awaitExit() {
    OptionalInt known = tracer.exitCode();
    int code = known.isPresent() ? known.getAsInt() : Processes.awaitChild(pid);
    over = true;
    return code;
  }

  /**
   * Hands a signal on that was sent to us. An interrupt from the terminal whose foreground we are
   * is not: the command has had it already.
   */
  public void forward(int signal) {
    if (over || (signal == SIGINT && inForeground())) {
      return;
    }
    Sys.tryCall(Nr.KILL, pid, signal, 0);
  }

  private static boolean inForeground() {
    try {
      int self = (int) ProcessHandle.current().pid();
      ProcStat stat = ProcStat.parse(ProcFs.read(ProcFs.of(self, "stat")));
      return stat.foreground() == stat.pgrp();
    } catch (TargetGoneException e) {
      return false;
    }
  }

  private static void await(CountDownLatch latch) {
    boolean interrupted = false;
    while (true) {
      try {
        latch.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static RuntimeException thrown(Throwable failure) {
    if (failure instanceof RuntimeException known) {
      return known;
    }
    if (failure instanceof Error error) {
      throw error;
    }
    return new FailureException("the recorder failed", failure);
  }

  private final class Tracing implements Runnable {
    @Override
    public void run() {
      try {
        tracerTid = Sys.tryCall(Nr.GETTID, 0, 0, 0);
        pid = tracer.start();
        started.countDown();
        settled = tracer.listen();
      } catch (RuntimeException | Error e) {
        failure = e;
      } finally {
        started.countDown();
      }
    }
  }
}
