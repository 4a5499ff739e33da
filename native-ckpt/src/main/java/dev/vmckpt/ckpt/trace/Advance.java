// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.ThreadCall;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** Threads that run from system call to system call while somebody watches. */
final class Advance {
  private static final long POLL_NANOS = 20_000;

  private final List<Tracee> moving;
  private final List<Tracee> ended = new ArrayList<>();
  private final List<Tracee> watched = new ArrayList<>();
  private final CallWatch watch;
  private final Registers registers;

  Advance(List<Tracee> moving, CallWatch watch, Registers registers) {
    this.moving = moving;
    this.watch = watch;
    this.registers = registers;
  }

  /** Threads that ended meanwhile. */
  List<Tracee> ended() {
    return ended;
  }

  /**
   * Runs them until the watch is content and has been told of all it was promised, or time is up;
   * whether it was content.
   */
  boolean run(long deadline) {
    while (!watch.content() || !watched.isEmpty()) {
      boolean any = false;
      for (int i = 0; i < moving.size(); i++) {
        Tracee thread = moving.get(i);
        try {
          if (thread.tryAwait()) {
            any = true;
            if (!goOn(thread)) {
              moving.remove(i--);
            }
          }
        } catch (TargetGoneException gone) {
          ended.add(thread);
          moving.remove(i--);
        }
      }
      if (moving.isEmpty() || System.nanoTime() > deadline) {
        return watch.content();
      }
      if (!any) {
        LockSupport.parkNanos(POLL_NANOS);
      }
    }
    return true;
  }

  /** Lets a thread run on from a stop; false if it stays. */
  private boolean goOn(Tracee thread) {
    int status = thread.lastStatus();
    if (WaitStatus.isGroupStop(status)) {
      // A signal has just stopped the process: it stays so.
      return false;
    }
    if (!WaitStatus.isSyscall(status)) {
      boolean signal = WaitStatus.isSignal(status);
      thread.resume(Ptrace.SYSCALL, signal ? WaitStatus.signal(status) : 0);
      return true;
    }
    thread.getRegisters(registers);
    ThreadCall call = registers.threadCall(thread.tid());
    if (thread.isEntering()) {
      CallWatch.Interest interest = watch.entering(call);
      if (interest != CallWatch.Interest.NONE) {
        watched.add(thread);
      }
      if (interest == CallWatch.Interest.CUT_SHORT) {
        // Asked for here it comes due inside the call; nothing of the target's is written, so our
        // death leaves nothing behind.
        thread.interrupt();
      }
    } else if (watched.remove(thread)) {
      CallWatch.Next next = watch.left(call);
      if (next == CallWatch.Next.HOLD_AND_REPEAT) {
        registers.repeatCall();
        thread.setRegisters(registers);
      }
      if (next != CallWatch.Next.RUN) {
        return false;
      }
    }
    thread.resume(Ptrace.SYSCALL, 0);
    return true;
  }
}
