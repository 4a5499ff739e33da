// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.raw.WaitCalls;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.Nr;
import java.util.concurrent.locks.LockSupport;

/**
 * Wakes a tracer that waits for its tracees, twenty times a second: waitid(2) knows no time limit,
 * and looking again and again would take a processor from those who are traced.
 *
 * <p>It is a throwaway process, traced as well and killed with us, that is sent a signal nobody
 * minds; the signal stops it, and that is what the tracer wakes up from.
 */
final class Bell implements AutoCloseable {
  private static final int SIGWINCH = 28;
  private static final int SIGKILL = 9;
  private static final long PERIOD_NANOS = 50_000_000;

  private final int pid;
  private final Thread ringer;
  private boolean rings = true;

  /**
   * Starts it; the caller is the tracer.
   *
   * @param seconds after which it ends by itself, should we die before it is traced
   */
  Bell(long seconds) {
    pid = Spawn.start("/bin/sleep", Long.toString(seconds));
    if (Tracee.trySeize(pid, Ptrace.O_EXITKILL) == null) {
      throw new FailureException("a process to be woken up by ended");
    }
    ringer = new Thread(new Ringer(), "vmckpt-bell");
    ringer.setDaemon(true);
    ringer.start();
  }

  int pid() {
    return pid;
  }

  /** It has stopped, or ended: lets it go on. */
  void heard() {
    Ptrace.tryRequest(Ptrace.CONT, pid, 0, 0);
  }

  @Override
  public void close() {
    synchronized (this) {
      rings = false;
    }
    LockSupport.unpark(ringer);
    Sys.tryCall(Nr.KILL, pid, SIGKILL, 0);
    WaitCalls end = new WaitCalls();
    while (!end.tryAwait(pid) || !WaitStatus.gone(end.status())) {
      LockSupport.parkNanos(100_000);
    }
    end.take(pid);
  }

  private final class Ringer implements Runnable {
    @Override
    public void run() {
      boolean goesOn = true;
      while (goesOn) {
        LockSupport.parkNanos(PERIOD_NANOS);
        // Its number is not used again before it is taken, and it is taken after the last ring.
        synchronized (Bell.this) {
          goesOn = rings;
          if (goesOn) {
            Sys.tryCall(Nr.KILL, pid, SIGWINCH, 0);
          }
        }
      }
    }
  }
}
