// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.Tid;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One traced thread. All methods must be called on the tracer thread; all but {@link #interrupt}
 * want it stopped.
 */
public final class Tracee {
  private static final int WALL = 0x40000000;
  private static final int WNOHANG = 1;
  private static final int NT_X86_XSTATE = 0x202;
  private static final int XSTATE_MAX_BYTES = 1 << 14;
  private static final int SIGINFO_BYTES = 128;
  private static final int PEEKSIGINFO_SHARED = 1;
  private static final int MAX_FILTER_INSTRUCTIONS = 4096;
  private static final int SYSCALL_INFO_BYTES = 88;
  private static final long POLL_NANOS = 20_000;
  private static final long SPIN_NANOS = 60_000;

  private final int tid;
  private final NativeBuffer word = new NativeBuffer(64);
  private final NativeBuffer xstate = new NativeBuffer(XSTATE_MAX_BYTES);
  private final NativeBuffer vector = new NativeBuffer(16);
  private int lastStatus;
  private boolean stopped;

  /** Whether it seems to share a processor with us. */
  private boolean together;

  Tracee(int tid) {
    this.tid = tid;
  }

  /**
   * Attaches to a running thread without stopping it.
   *
   * @param options PTRACE_O_*
   * @return null if the thread is gone
   */
  static @Nullable Tracee trySeize(int tid, int options) {
    long result = Ptrace.tryRequest(Ptrace.SEIZE, tid, 0, options);
    if (result == -Errno.ESRCH) {
      return null;
    }
    Sys.check("PTRACE_SEIZE", "thread " + tid, result);
    return new Tracee(tid);
  }

  /** Its number in our pid namespace. */
  public Tid tid() {
    return new Tid(tid);
  }

  public int number() {
    return tid;
  }

  boolean isStopped() {
    return stopped;
  }

  /** The status of the last stop. */
  int lastStatus() {
    return lastStatus;
  }

  /** Its stack pointer; it must be stopped. */
  public long stackPointer() {
    Registers registers = new Registers();
    getRegisters(registers);
    return registers.stackPointer();
  }

  /** Asks it to stop; {@link #awaitInterrupt} waits for it. */
  void interrupt() {
    Ptrace.tryRequest(Ptrace.INTERRUPT, tid, 0, 0);
  }

  /**
   * Waits for the stop that {@link #interrupt} asked for. A signal that comes first is delivered:
   * its handler's frame is then part of what is saved.
   *
   * @param deadline System.nanoTime() at which to give up
   * @return false if the thread ended
   * @throws FailureException when it does not stop in time, as a thread in an uninterruptible call
   */
  boolean awaitInterrupt(long deadline) {
    while (true) {
      long result = Sys.tryCall(Nr.WAIT4, tid, word.address(), WALL | WNOHANG);
      if (result == -Errno.ECHILD) {
        return false;
      }
      if (result == 0) {
        if (System.nanoTime() > deadline) {
          throw new FailureException(
              "thread "
                  + tid
                  + " does not stop: it is in an uninterruptible call of the kernel. Nothing was changed;"
                  + " try again");
        }
        LockSupport.parkNanos(POLL_NANOS);
        continue;
      }
      lastStatus = word.bytes().getInt(0);
      if (WaitStatus.gone(lastStatus)) {
        return false;
      }
      stopped = true;
      if (WaitStatus.isEventStop(lastStatus)) {
        return true;
      }
      resume(Ptrace.CONT, WaitStatus.isSignal(lastStatus) ? WaitStatus.signal(lastStatus) : 0);
      // A stop of any other kind has made the kernel forget that we asked (ptrace_stop of
      // kernel/signal.c).
      interrupt();
    }
  }

  /**
   * Waits for its next stop of any kind.
   *
   * @throws TargetGoneException if it ended instead
   */
  int await() {
    // A call takes microseconds, being woken up by another processor takes tens of them: so we look
    // without sleeping. But a thread on our own processor runs only while we sleep, and then at
    // once.
    long begun = System.nanoTime();
    long sleepFrom = together ? begun : begun + SPIN_NANOS;
    long now = begun;
    long result;
    do {
      result = Sys.tryCall(Nr.WAIT4, tid, word.address(), now < sleepFrom ? WALL | WNOHANG : WALL);
      now = System.nanoTime();
    } while (result == 0 || result == -Errno.EINTR);
    boolean quick = now - begun < SPIN_NANOS;
    together = together == quick;
    if (result < 0) {
      throw new TargetGoneException("thread " + tid + " went away");
    }
    lastStatus = word.bytes().getInt(0);
    stopped = !WaitStatus.gone(lastStatus);
    if (!stopped) {
      throw new TargetGoneException("thread " + tid + " ended");
    }
    return lastStatus;
  }

  /**
   * Looks whether it has stopped, in whatever way.
   *
   * @throws TargetGoneException if it ended instead
   */
  boolean tryAwait() {
    long result = Sys.tryCall(Nr.WAIT4, tid, word.address(), WALL | WNOHANG);
    if (result == 0 || result == -Errno.EINTR) {
      return false;
    }
    lastStatus = word.bytes().getInt(0);
    if (result < 0 || WaitStatus.gone(lastStatus)) {
      throw new TargetGoneException("thread " + tid + " ended");
    }
    stopped = true;
    return true;
  }

  /** In a stop at a system call: whether it is at its entry. */
  boolean isEntering() {
    // struct ptrace_syscall_info { u8 op; … }: PTRACE_SYSCALL_INFO_ENTRY 1, EXIT 2
    Ptrace.request(
        "PTRACE_GET_SYSCALL_INFO",
        Ptrace.GET_SYSCALL_INFO,
        tid,
        SYSCALL_INFO_BYTES,
        xstate.address());
    return xstate.bytes().get(0) == 1;
  }

  /** Lets it run until the next stop that {@code request} asks for. */
  void resume(int request, int signal) {
    Ptrace.request("PTRACE_CONT", request, tid, 0, signal);
    stopped = false;
  }

  /** Lets it go for good; a thread that is gone already is no error. */
  public void detach() {
    if (Ptrace.tryRequest(Ptrace.DETACH, tid, 0, 0) == 0) {
      stopped = false;
    }
  }

  void setOptions(int options) {
    Ptrace.request("PTRACE_SETOPTIONS", Ptrace.SETOPTIONS, tid, 0, options);
  }

  long eventMessage() {
    Ptrace.request("PTRACE_GETEVENTMSG", Ptrace.GETEVENTMSG, tid, 0, word.address());
    return word.bytes().getLong(0);
  }

  public void getRegisters(Registers into) {
    Ptrace.request("PTRACE_GETREGS", Ptrace.GETREGS, tid, 0, into.address());
  }

  public void setRegisters(Registers from) {
    Ptrace.request("PTRACE_SETREGS", Ptrace.SETREGS, tid, 0, from.address());
  }

  /** The extended state in XSAVE's standard format. */
  public byte[] xstate() {
    vector.bytes().putLong(0, xstate.address());
    vector.bytes().putLong(8, XSTATE_MAX_BYTES);
    Ptrace.request(
        "PTRACE_GETREGSET(XSTATE)", Ptrace.GETREGSET, tid, NT_X86_XSTATE, vector.address());
    return xstate.copy(0, (int) vector.bytes().getLong(8));
  }

  public void setXstate(byte[] state) {
    xstate.bytes().put(0, state);
    vector.bytes().putLong(0, xstate.address());
    vector.bytes().putLong(8, state.length);
    Ptrace.request(
        "PTRACE_SETREGSET(XSTATE)", Ptrace.SETREGSET, tid, NT_X86_XSTATE, vector.address());
  }

  long getSignalMask() {
    Ptrace.request("PTRACE_GETSIGMASK", Ptrace.GETSIGMASK, tid, Long.BYTES, word.address());
    return word.bytes().getLong(0);
  }

  public void setSignalMask(long mask) {
    word.bytes().putLong(0, mask);
    Ptrace.request("PTRACE_SETSIGMASK", Ptrace.SETSIGMASK, tid, Long.BYTES, word.address());
  }

  /**
   * The pending signals, without taking them.
   *
   * @param shared those of the whole process instead of this thread's own
   */
  public List<byte[]> pendingSignals(boolean shared) {
    List<byte[]> pending = new ArrayList<>();
    NativeBuffer info = new NativeBuffer(SIGINFO_BYTES);
    while (true) {
      // struct ptrace_peeksiginfo_args { u64 off; u32 flags; s32 nr; }
      word.bytes().putLong(0, pending.size());
      word.bytes().putInt(8, shared ? PEEKSIGINFO_SHARED : 0);
      word.bytes().putInt(12, 1);
      long got =
          Ptrace.request(
              "PTRACE_PEEKSIGINFO", Ptrace.PEEKSIGINFO, tid, word.address(), info.address());
      if (got == 0) {
        return pending;
      }
      pending.add(info.copy(0, SIGINFO_BYTES));
    }
  }

  /** Whether a signal that {@code mask} does not block is pending for it or for its process. */
  boolean hasDeliverableSignal(long mask) {
    for (int shared = 0; shared < 2; shared++) {
      List<byte[]> pending = pendingSignals(shared == 1);
      for (int i = 0; i < pending.size(); i++) {
        if ((mask >>> (pending.get(i)[0] - 1) & 1) == 0) {
          return true;
        }
      }
    }
    return false;
  }

  /** Its registration of rseq(2): address, size, signature; an address of 0 for none. */
  public long[] rseq() {
    // struct ptrace_rseq_configuration { u64 pointer; u32 size; u32 signature; u32 flags; u32 pad;
    // }
    word.bytes().putLong(0, 0);
    long result = Ptrace.tryRequest(Ptrace.GET_RSEQ_CONFIGURATION, tid, 24, word.address());
    if (result <= 0) {
      return new long[] {0, 0, 0};
    }
    return new long[] {word.bytes().getLong(0), word.bytes().getInt(8), word.bytes().getInt(12)};
  }

  /**
   * One of its seccomp filters, newest first.
   *
   * @return the program, 8 bytes an instruction, or null if there are not so many; needs
   *     CAP_SYS_ADMIN
   */
  public byte @Nullable [] seccompFilter(int index) {
    long length = Ptrace.tryRequest(Ptrace.SECCOMP_GET_FILTER, tid, index, 0);
    if (length == -Errno.ENOENT || length == -Errno.EINVAL) {
      return null;
    }
    Sys.check("PTRACE_SECCOMP_GET_FILTER", "thread " + tid, length);
    if (length > MAX_FILTER_INSTRUCTIONS) {
      throw new IllegalStateException("a filter of " + length + " instructions");
    }
    NativeBuffer program = new NativeBuffer((int) length * 8);
    Ptrace.request(
        "PTRACE_SECCOMP_GET_FILTER", Ptrace.SECCOMP_GET_FILTER, tid, index, program.address());
    return program.copy(0, program.size());
  }

  /** The flags of one of its seccomp filters. */
  public int seccompFlags(int index) {
    // struct seccomp_metadata { u64 filter_off; u64 flags; }
    word.bytes().putLong(0, index);
    word.bytes().putLong(8, 0);
    long result = Ptrace.tryRequest(Ptrace.SECCOMP_GET_METADATA, tid, 16, word.address());
    return result < 0 ? 0 : (int) word.bytes().getLong(8);
  }
}
