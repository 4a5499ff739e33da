// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.proc.KernelTasks;
import dev.vmckpt.ckpt.proc.Life;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.CallWatch;
import dev.vmckpt.spi.remote.ThreadCall;
import java.io.File;
import java.util.ArrayList;
import java.util.List;

/**
 * All threads of a process, seized and, between {@link #stop} and {@link #close}, stopped.
 *
 * <p>Kernel workers that appear among the threads (io_uring, KVM's recovery worker) are left alone:
 * stopping one can hang the process in the kernel.
 */
public final class Freeze implements AutoCloseable {
  static final int OPTIONS = Ptrace.O_TRACESYSGOOD;

  private static final long DEADLINE_NANOS = 10_000_000_000L;

  private final int pid;
  private final int extraOptions;
  private final List<Tracee> threads = new ArrayList<>();
  private final PausePriority priority = new PausePriority();
  private boolean groupStopped;
  private long resumedNanos;

  private Freeze(int pid, int extraOptions) {
    this.pid = pid;
    this.extraOptions = extraOptions;
  }

  /**
   * Seizes all threads; they run on.
   *
   * @param suspendSeccomp whether system call filters are to be suspended, as a filtered target
   *     needs it
   * @throws TargetGoneException if there is no such process
   * @throws NotPermittedException if it may not be traced
   */
  public static Freeze seize(int pid, boolean suspendSeccomp) {
    Freeze freeze = new Freeze(pid, suspendSeccomp ? Ptrace.O_SUSPEND_SECCOMP : 0);
    try {
      freeze.seizeNew();
    } catch (RuntimeException e) {
      freeze.close();
      throw e;
    }
    return freeze;
  }

  /** Stops all threads, also those that come to be meanwhile. */
  public void stop() {
    priority.raise();
    long deadline = System.nanoTime() + DEADLINE_NANOS;
    do {
      for (int i = 0; i < threads.size(); i++) {
        if (!threads.get(i).isStopped()) {
          threads.get(i).interrupt();
        }
      }
      for (int i = 0; i < threads.size(); i++) {
        Tracee thread = threads.get(i);
        if (!thread.isStopped() && !thread.awaitInterrupt(deadline)) {
          threads.remove(i--);
          continue;
        }
        groupStopped |= WaitStatus.isGroupStop(thread.lastStatus());
      }
    } while (seizeNew());
    if (threads.isEmpty() || threads.get(0).number() != pid) {
      throw new TargetGoneException("process " + pid + " went away");
    }
    suspendFilters();
  }

  /** Only now, with every thread stopped: a target that runs must never run without its filters. */
  private void suspendFilters() {
    if (extraOptions == 0) {
      return;
    }
    try {
      for (int i = 0; i < threads.size(); i++) {
        threads.get(i).setOptions(OPTIONS | extraOptions);
      }
    } catch (SyscallException e) {
      if (e.errno() != Errno.EPERM) {
        throw e;
      }
      throw new NotPermittedException(
          "process "
              + pid
              + " has system call filters, which may not be suspended by this user: run as root"
              + " (CAP_SYS_ADMIN)",
          e);
    }
  }

  /** The threads, the leading one first. */
  public List<Tracee> threads() {
    return threads;
  }

  /** The leading thread. */
  public Tracee leader() {
    return threads.get(0);
  }

  /** Whether the process had been stopped by a signal before we came. */
  public boolean groupStopped() {
    return groupStopped;
  }

  /** Borrows one of the threads. */
  public BorrowedThread borrow(
      Tracee thread, Gadgets gadgets, InjectionPlace place, ProcessMemory memory) {
    return new BorrowedThread(pid, thread, gadgets, place, memory).withOptions(extraOptions);
  }

  /** Where each thread stands. */
  public List<ThreadCall> calls() {
    Registers registers = new Registers();
    List<ThreadCall> calls = new ArrayList<>(threads.size());
    for (int i = 0; i < threads.size(); i++) {
      threads.get(i).getRegisters(registers);
      calls.add(registers.threadCall(threads.get(i).tid()));
    }
    return calls;
  }

  /**
   * Lets threads of the stopped target run on for a while, watching their system calls, and stops
   * all of them again. A target that a signal has stopped is left as it is.
   *
   * @param held threads that do not move
   * @return whether the watch was content in time
   */
  public boolean advance(List<ThreadCall> held, CallWatch watch, long limitMillis) {
    if (groupStopped) {
      return watch.content();
    }
    List<Tracee> moving = new ArrayList<>();
    for (int i = 0; i < threads.size(); i++) {
      if (!holds(held, threads.get(i).number())) {
        moving.add(threads.get(i));
      }
    }
    Registers registers = new Registers();
    for (Tracee thread : moving) {
      // A target that runs must never run without its filters.
      thread.setOptions(OPTIONS);
    }
    for (Tracee thread : moving) {
      restartCall(thread, registers);
      thread.resume(Ptrace.SYSCALL, 0);
    }
    Advance advance = new Advance(moving, watch, registers);
    boolean content = advance.run(System.nanoTime() + limitMillis * 1_000_000);
    threads.removeAll(advance.ended());
    stop();
    return content;
  }

  private static boolean holds(List<ThreadCall> held, int tid) {
    for (ThreadCall call : held) {
      if (call.tid().number() == tid) {
        return true;
      }
    }
    return false;
  }

  /** System.nanoTime() at which the last thread ran on; after {@link #close}. */
  public long resumedNanos() {
    return resumedNanos;
  }

  /** Lets all threads run on; they stay seized no longer. */
  @Override
  public void close() {
    Registers registers = new Registers();
    for (int i = threads.size() - 1; i >= 0; i--) {
      Tracee thread = threads.get(i);
      if (!thread.isStopped()) {
        thread.interrupt();
      }
    }
    for (int i = threads.size() - 1; i >= 0; i--) {
      Tracee thread = threads.get(i);
      try {
        if (thread.isStopped() || thread.awaitInterrupt(System.nanoTime() + DEADLINE_NANOS)) {
          restartCall(thread, registers);
          thread.detach();
        }
      } catch (RuntimeException stuck) {
        // It cannot be detached while it does not stop; the kernel lets go of it when we end.
      }
    }
    threads.clear();
    resumedNanos = System.nanoTime();
    priority.close();
  }

  /**
   * Hides the stop from a thread that nobody borrowed: one that was would be outside of any call.
   */
  private static void restartCall(Tracee thread, Registers registers) {
    try {
      thread.getRegisters(registers);
      if (registers.endedByStop() && !thread.hasDeliverableSignal(thread.getSignalMask())) {
        registers.finishInterruptedCall(false, false);
        thread.setRegisters(registers);
      }
    } catch (VmckptException ended) {
      // Nothing to restart in a thread that was killed meanwhile.
    }
  }

  /** Seizes threads that are not seized yet; whether there were any. */
  private boolean seizeNew() {
    String[] names = new File("/proc/" + pid + "/task").list();
    if (names == null || names.length == 0) {
      throw new TargetGoneException("there is no process " + pid);
    }
    boolean found = false;
    for (String name : names) {
      int tid = Integer.parseInt(name);
      if (isSeized(tid) || KernelTasks.isWorker(pid, tid)) {
        continue;
      }
      try {
        Tracee thread = Tracee.trySeize(tid, OPTIONS);
        if (thread != null) {
          threads.add(tid == pid ? 0 : threads.size(), thread);
          found = true;
        }
      } catch (SyscallException e) {
        if (e.errno() == Errno.EPERM && Life.hasEnded(pid, tid)) {
          // A zombie is refused with the words of a missing privilege.
          if (tid == pid) {
            throw new TargetGoneException("process " + pid + " has ended", e);
          }
          continue;
        }
        if (e.errno() == Errno.EPERM) {
          throw new NotPermittedException(
              "process "
                  + pid
                  + " may not be traced by this user: run as its owner or as root (CAP_SYS_PTRACE)",
              e);
        }
        throw e;
      }
    }
    return found;
  }

  private boolean isSeized(int tid) {
    for (int i = 0; i < threads.size(); i++) {
      if (threads.get(i).number() == tid) {
        return true;
      }
    }
    return false;
  }
}
