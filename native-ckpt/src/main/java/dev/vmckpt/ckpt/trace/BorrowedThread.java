// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A thread of a live target, borrowed to make system calls; closing it gives it back as it was.
 *
 * <p><b>Our own death at any instant does the target no harm.</b> Before anything else, a signal
 * frame with the thread's own registers, extended state and signal mask is written into dead
 * memory. From the first change of its registers on, the thread stands either right before an
 * rt_sigreturn with that frame, or before or behind a {@code syscall; ret} whose {@code ret} leads
 * there. When the tracer dies the kernel lets the thread run on, and it becomes itself again.
 * Single-stepping is never used: the trap flag would outlive us.
 *
 * <p>The caller must guarantee that all threads of the target are stopped, or that the place lies
 * in dead memory of this very thread; that the calls made do not block; and that it runs on the
 * tracer thread.
 */
public final class BorrowedThread implements RemoteProcess, AutoCloseable {
  private static final long ALL_SIGNALS = ~0L;

  /** struct clone_args of include/uapi/linux/sched.h, its first version. */
  private static final int CLONE_ARGS_BYTES = 64;

  private static final long CLONE_VM = 0x100;
  private static final long CLONE_FILES = 0x400;
  private static final long RT_SIGRETURN = Nr.RT_SIGRETURN;

  private final int pid;
  private final Tracee thread;
  private final Gadgets gadgets;
  private final InjectionPlace place;
  private final ProcessMemory memory;
  private final Registers resumed = new Registers();
  private final Registers work = new Registers();
  private final long mask;
  private final byte[] xstateAtStop;
  private final Registers registersForImage;
  private final byte[] overwritten;
  private boolean usable = true;

  /**
   * Borrows a stopped thread.
   *
   * @throws SyscallException if the place cannot be written; the thread is as it was then
   */
  public BorrowedThread(
      int pid, Tracee thread, Gadgets gadgets, InjectionPlace place, ProcessMemory memory) {
    this.pid = pid;
    this.thread = thread;
    this.gadgets = gadgets;
    this.place = place;
    this.memory = memory;
    thread.getRegisters(resumed);
    byte[] xstate = thread.xstate();
    mask = thread.getSignalMask();
    if (SignalFrame.bytes(xstate.length) > place.frameRoom()) {
      throw new FailureException("an extended state of " + xstate.length + " bytes has no room");
    }
    Registers afterDeath = new Registers();
    afterDeath.copyFrom(resumed);
    // rt_sigreturn makes the kernel forget how far an interrupted call had come: it begins anew.
    if (afterDeath.call() == Nr.RESTART_SYSCALL) {
      afterDeath.set(Registers.ORIG_RAX, RestartedCall.number(resumed, memory));
    }
    boolean signalPending = thread.hasDeliverableSignal(mask);
    afterDeath.finishInterruptedCall(true, signalPending);
    resumed.finishInterruptedCall(false, signalPending);
    xstateAtStop = xstate;
    registersForImage = afterDeath;
    overwritten = memory.read(place.start(), InjectionPlace.BYTES);
    long frame = place.frame().value();
    memory.write(
        place.frame(),
        SignalFrame.encode(frame, gadgets.signalReturn().value(), afterDeath, xstate, mask));
    memory.write(place.exitFrame(), exitFrame());
    // The commit: from here on the thread, if let run, returns to itself.
    work.copyFrom(resumed);
    work.set(Registers.RIP, gadgets.syscall().value());
    work.set(Registers.RSP, frame + Long.BYTES);
    work.set(Registers.RAX, RT_SIGRETURN);
    work.set(Registers.ORIG_RAX, -1);
    thread.setRegisters(work);
    thread.setSignalMask(ALL_SIGNALS);
  }

  /**
   * A frame that leads a child of its own into exit_group(0), should nobody be there to kill it.
   */
  private byte[] exitFrame() {
    Registers exit = new Registers();
    exit.copyFrom(resumed);
    exit.set(Registers.RIP, gadgets.syscall().value());
    exit.set(Registers.RAX, Nr.EXIT_GROUP);
    exit.set(Registers.RDI, 0);
    exit.set(Registers.RSP, place.frame().value());
    return SignalFrame.encode(
        place.exitFrame().value(), gadgets.signalReturn().value(), exit, new byte[0], ALL_SIGNALS);
  }

  /** The thread's registers as they go into an image: interrupted calls begin anew. */
  public byte[] registers() {
    return registersForImage.toBytes();
  }

  /** The thread's extended state, in XSAVE's standard format. */
  public byte[] xstate() {
    return xstateAtStop;
  }

  /** The signals the thread blocks when it is not borrowed. */
  public long signalMask() {
    return mask;
  }

  @Override
  public int pid() {
    return pid;
  }

  @Override
  public RemoteAddress scratch() {
    return place.scratch();
  }

  @Override
  public void write(RemoteAddress to, byte[] bytes) {
    memory.write(to, bytes);
  }

  @Override
  public byte[] read(RemoteAddress from, int length) {
    return memory.read(from, length);
  }

  @Override
  public long tryCall(int number, long... a) {
    begin(
        number,
        a.length > 0 ? a[0] : 0,
        a.length > 1 ? a[1] : 0,
        a.length > 2 ? a[2] : 0,
        a.length > 3 ? a[3] : 0,
        a.length > 4 ? a[4] : 0,
        a.length > 5 ? a[5] : 0);
    runToSyscallStop();
    runToSyscallStop();
    return result();
  }

  @Override
  public long call(String name, String subject, int number, long... arguments) {
    return dev.vmckpt.ckpt.raw.Sys.check(name, subject, tryCall(number, arguments));
  }

  /**
   * Makes a copy-on-write child of the target: a process of one thread, with a copy of its memory
   * and its descriptors, which stays stopped, is killed when we die, and tells its parent nothing
   * when it ends.
   *
   * @return the child
   * @throws SyscallException if the kernel refuses, for want of memory or process numbers
   */
  public ForkedChild fork() {
    return spawn(0);
  }

  /**
   * Makes a stopped task that shares memory and descriptors with the target; see {@link Lodger}.
   */
  ForkedChild lodge() {
    return spawn(CLONE_VM | CLONE_FILES);
  }

  private ForkedChild spawn(long flags) {
    thread.setOptions(Freeze.OPTIONS | freezeExtra | Ptrace.O_TRACECLONE | Ptrace.O_TRACEFORK);
    // exit signal 0: the parent is not told. The child's stack is its exit frame.
    if (freezeExtra != 0) {
      // If we die at the entry of the call, the filters are in force again, and a sandbox ends who
      // forks by clone; clone3 it answers with ENOSYS, for the sake of the C library.
      long stack = place.start().value();
      ByteBuffer arguments = ByteBuffer.allocate(CLONE_ARGS_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      arguments.putLong(0, flags).putLong(40, stack).putLong(48, place.exitFrame().value() - stack);
      memory.write(place.scratch(), arguments.array());
      begin(Nr.CLONE3, place.scratch().value(), CLONE_ARGS_BYTES, 0, 0, 0, 0);
      Tracee child = awaitBirth();
      if (child != null || result() != -Errno.ENOSYS) {
        return born(child);
      }
    }
    begin(Nr.CLONE, flags, place.exitFrame().value(), 0, 0, 0, 0);
    return born(awaitBirth());
  }

  /** Runs a clone to its end; null if no child was made. */
  private @Nullable Tracee awaitBirth() {
    runToSyscallStop();
    thread.resume(Ptrace.SYSCALL, 0);
    Tracee child = null;
    while (true) {
      int status = thread.await();
      if (WaitStatus.event(status) == WaitStatus.EVENT_CLONE
          || WaitStatus.event(status) == WaitStatus.EVENT_FORK) {
        child = new Tracee((int) thread.eventMessage());
      } else if (WaitStatus.isSyscall(status)) {
        break;
      }
      thread.resume(Ptrace.SYSCALL, 0);
    }
    return child;
  }

  private ForkedChild born(@Nullable Tracee child) {
    long result = result();
    if (child == null) {
      throw new SyscallException("clone", (int) -result, "process " + pid);
    }
    child.await();
    child.setOptions(Ptrace.O_EXITKILL | freezeExtra);
    return new ForkedChild(child, (int) result);
  }

  private int freezeExtra;

  /** Options that every thread of the target is traced with beside {@link Freeze#OPTIONS}. */
  BorrowedThread withOptions(int extra) {
    freezeExtra = extra;
    return this;
  }

  private void begin(int number, long a, long b, long c, long d, long e, long f) {
    if (!usable) {
      throw new TargetGoneException("process " + pid + " went away");
    }
    work.setCall(gadgets.syscall().value(), number, a, b, c, d, e, f);
    work.set(Registers.RSP, place.frame().value());
    thread.setRegisters(work);
  }

  /**
   * Lets it run to the next entry or exit of a system call; stops of other kinds come in between.
   */
  private void runToSyscallStop() {
    try {
      do {
        thread.resume(Ptrace.SYSCALL, 0);
      } while (!WaitStatus.isSyscall(thread.await()));
    } catch (TargetGoneException e) {
      usable = false;
      throw e;
    }
  }

  private long result() {
    thread.getRegisters(work);
    return work.get(Registers.RAX);
  }

  /** Gives the thread back; it stays stopped. A target that is gone is no error. */
  @Override
  public void close() {
    if (!usable) {
      return;
    }
    try {
      // The mask first: a thread that ran on from here would still pass through its frame.
      thread.setSignalMask(mask);
      thread.setRegisters(resumed);
      memory.write(place.start(), overwritten);
    } catch (TargetGoneException gone) {
      usable = false;
    } catch (SyscallException e) {
      if (e.errno() != Errno.EIO) {
        throw e;
      }
    }
  }
}
