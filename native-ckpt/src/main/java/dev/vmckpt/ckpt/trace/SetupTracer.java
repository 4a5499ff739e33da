// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.RunRequest;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.WaitCalls;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.ThreadCall;
import dev.vmckpt.spi.remote.Tid;
import dev.vmckpt.spi.setup.SetupListener;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Starts a command and lets listeners hear the system calls of it and of all it starts, until they
 * have heard enough.
 *
 * <p><b>Our own death at any instant does the command no harm.</b> The kernel lets go whatever we
 * trace when the tracer's thread ends, and that is also how this lets go: no call that blocks is
 * interrupted. Nothing is injected into what is traced; options do not outlive us; and each stop is
 * only looked at (waitid with WNOWAIT) until it is answered, so that the kernel still knows the
 * signal it was about to deliver. Filters of seccomp are not used: they would outlive us and fail
 * the calls they were to report.
 *
 * <p>{@link #start} and {@link #listen} must be called on one thread, which ends afterwards; this
 * is made by another, which lives on: it is the command's parent.
 */
public final class SetupTracer {
  /** AUDIT_ARCH_X86_64: calls of 32-bit code have other numbers. */
  private static final int X86_64 = 0xc000003e;

  private static final int INFO_BYTES = 88;
  private static final int INFO_ENTRY = 1;
  private static final int INFO_EXIT = 2;
  private static final int HIGHEST_CALL = 512;
  private static final long LOOK_NANOS = 50_000_000;
  private static final int SPARE_SECONDS = 60;

  /** How often in a row one thread may come before the others are asked for. */
  private static final int FAIR = 4;

  private final RunRequest request;
  private final List<SetupListener> listeners;
  private final boolean[] wanted = new boolean[HIGHEST_CALL];
  private final Map<Integer, Traced> threads = new LinkedHashMap<>();
  private final Map<Integer, ListenedProcess> processes = new LinkedHashMap<>();
  private final WaitCalls waits = new WaitCalls();
  private final NativeBuffer info = new NativeBuffer(INFO_BYTES);
  private final int command;
  private OptionalInt exitCode = OptionalInt.empty();

  /** A thread, and the call it is in if somebody wants to know its result. */
  private static final class Traced {
    final int tid;
    final ListenedProcess process;
    @Nullable ThreadCall call;
    List<SetupListener> interested = List.of();

    Traced(int tid, ListenedProcess process) {
      this.tid = tid;
      this.process = process;
    }
  }

  /**
   * @param listeners who shall hear
   * @throws dev.vmckpt.spi.error.SyscallException if no process can be started
   */
  public SetupTracer(RunRequest request, List<SetupListener> listeners) {
    this.request = request;
    this.listeners = listeners;
    for (SetupListener listener : listeners) {
      for (int number : listener.calls()) {
        wanted[number] = true;
      }
    }
    command = Launch.spawn();
  }

  /**
   * Starts the command; it is stopped before its first instruction.
   *
   * @return its number; it is our child
   * @throws dev.vmckpt.spi.error.SyscallException if it cannot be executed
   */
  public int start() {
    Launch.become(command, request);
    add(command);
    return command;
  }

  /** How the command ended, if it did: its exit code, or 128 and the signal. */
  public OptionalInt exitCode() {
    return exitCode;
  }

  /**
   * Lets it run and listens.
   *
   * @return whether the listeners have heard all they wanted; false after the limit or the end of
   *     the command
   */
  public boolean listen() {
    long end = System.nanoTime() + request.limit().toNanos();
    try (Bell bell = new Bell(request.limit().toSeconds() + SPARE_SECONDS)) {
      resume(command, 0);
      long nextLook = System.nanoTime() + LOOK_NANOS;
      int last = 0;
      int inRow = 0;
      while (!threads.isEmpty()) {
        int tid = inRow >= FAIR ? another(last) : waits.awaitAny();
        inRow = tid == last ? inRow + 1 : 0;
        last = tid;
        if (tid == 0) {
          return false;
        }
        if (tid == bell.pid()) {
          bell.heard();
        } else {
          handle(tid, waits.status());
        }
        long now = System.nanoTime();
        if (now >= nextLook) {
          nextLook = now + LOOK_NANOS;
          if (settled()) {
            return true;
          }
          if (now >= end || (exitCode.isPresent() && !heard())) {
            return false;
          }
        }
      }
      return false;
    } finally {
      for (ListenedProcess process : processes.values()) {
        process.close();
      }
    }
  }

  /** The kernel names the first that has stopped: a busy one must not keep the others waiting. */
  private int another(int last) {
    for (Integer tid : threads.keySet()) {
      if (tid != last && waits.tryAwait(tid)) {
        return tid;
      }
    }
    return waits.awaitAny();
  }

  private boolean settled() {
    for (SetupListener listener : listeners) {
      if (!listener.settled(request.quiet())) {
        return false;
      }
    }
    return true;
  }

  private boolean heard() {
    for (SetupListener listener : listeners) {
      if (listener.heard()) {
        return true;
      }
    }
    return false;
  }

  private void handle(int tid, int status) {
    if (WaitStatus.gone(status)) {
      ended(tid, status);
      return;
    }
    Traced thread = threads.get(tid);
    if (thread == null) {
      // A new one may be seen before the event of the thread that made it.
      thread = add(tid);
    }
    int event = WaitStatus.event(status);
    if (WaitStatus.isSyscall(status)) {
      syscall(thread);
      resume(tid, 0);
    } else if (WaitStatus.isGroupStop(status)) {
      // Stopped by job control, and it stays so until it is continued.
      Ptrace.tryRequest(Ptrace.LISTEN, tid, 0, 0);
    } else if (event == WaitStatus.EVENT_EXEC) {
      executed(tid);
      resume(tid, 0);
    } else {
      // Whatever was made is traced already, and tells of itself.
      resume(tid, WaitStatus.isSignal(status) ? WaitStatus.signal(status) : 0);
    }
  }

  private void syscall(Traced thread) {
    // struct ptrace_syscall_info { u8 op; u32 arch at 4; entry: u64 nr at 24, args[6]; exit: s64 at
    // 24 }
    long got = Ptrace.tryRequest(Ptrace.GET_SYSCALL_INFO, thread.tid, INFO_BYTES, info.address());
    if (got <= 0 || info.bytes().getInt(4) != X86_64) {
      return;
    }
    int op = info.bytes().get(0);
    if (op == INFO_ENTRY) {
      thread.call = null;
      long number = info.bytes().getLong(24);
      if (number >= 0 && number < HIGHEST_CALL && wanted[(int) number]) {
        entering(thread, (int) number);
      }
    } else if (op == INFO_EXIT && thread.call != null) {
      ThreadCall entered = thread.call;
      thread.call = null;
      ThreadCall left =
          new ThreadCall(
              entered.tid(), entered.number(), entered.arguments(), info.bytes().getLong(24));
      for (SetupListener listener : thread.interested) {
        listener.left(thread.process, left);
      }
    }
  }

  private void entering(Traced thread, int number) {
    ThreadCall call =
        new ThreadCall(
            new Tid(thread.tid),
            number,
            List.of(argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)),
            -dev.vmckpt.spi.error.Errno.ENOSYS);
    List<SetupListener> interested = new ArrayList<>();
    for (SetupListener listener : listeners) {
      if (listener.calls().contains(number) && listener.entering(thread.process, call)) {
        interested.add(listener);
      }
    }
    if (!interested.isEmpty()) {
      thread.call = call;
      thread.interested = interested;
    }
  }

  private long argument(int index) {
    return info.bytes().getLong(32 + index * Long.BYTES);
  }

  private Traced add(int tid) {
    int pid = tid;
    try {
      pid = ProcStatus.parse(ProcFs.read(ProcFs.of(tid, "status"))).tgid();
    } catch (TargetGoneException e) {
      // Killed meanwhile; its end is the next that is heard of it.
    }
    ListenedProcess process = processes.get(pid);
    if (process == null) {
      process = new ListenedProcess(pid);
      processes.put(pid, process);
    }
    Traced thread = new Traced(tid, process);
    threads.put(tid, thread);
    return thread;
  }

  /** A process is another program now, and has one thread. */
  private void executed(int pid) {
    threads.values().removeIf(each -> each.process.pid() == pid && each.tid != pid);
    forget(pid);
    add(pid);
  }

  private void ended(int tid, int status) {
    waits.take(tid);
    threads.remove(tid);
    if (tid == command) {
      exitCode = OptionalInt.of(WaitStatus.exitCode(status));
    }
    if (processes.containsKey(tid)) {
      forget(tid);
    }
  }

  private void forget(int pid) {
    ListenedProcess process = processes.remove(pid);
    if (process != null) {
      process.close();
    }
    for (SetupListener listener : listeners) {
      listener.ended(pid);
    }
  }

  /** Lets a thread run on; one that was killed meanwhile is no error. */
  private static void resume(int tid, int signal) {
    Ptrace.tryRequest(Ptrace.SYSCALL, tid, 0, signal);
  }
}
