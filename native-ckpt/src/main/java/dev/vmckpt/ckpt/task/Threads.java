// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.ckpt.trace.Registers;
import dev.vmckpt.ckpt.trace.Tracee;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.image.ThreadImage;
import dev.vmckpt.spi.image.ThreadImage.AlternateStack;
import dev.vmckpt.spi.image.ThreadImage.Rseq;
import dev.vmckpt.spi.image.ThreadImage.Scheduling;
import dev.vmckpt.spi.image.ThreadImage.SeccompFilter;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Threads: what each has of its own. */
public final class Threads {
  private static final int GET_ROBUST_LIST = 274;
  private static final int PR_SET_NAME = 15;
  private static final int PR_SET_TIMERSLACK = 29;
  private static final int PR_GET_TIMERSLACK = 30;
  private static final int PR_SET_NO_NEW_PRIVS = 38;
  private static final int PR_GET_TID_ADDRESS = 40;
  private static final int SCHED_SETAFFINITY = 203;
  private static final int SCHED_GETAFFINITY = 204;
  private static final int SCHED_SETATTR = 314;
  private static final int SCHED_GETATTR = 315;
  private static final int SCHED_ATTR_BYTES = 48;
  private static final int AFFINITY_BYTES = 128;
  private static final int SECCOMP_SET_MODE_FILTER = 1;
  private static final int SECCOMP_FILTERS = 2;
  private static final int SS_ONSTACK = 1;
  private static final int MAX_FILTERS = 1024;

  private static final long CLONE_FLAGS =
      // CLONE_VM FS FILES SIGHAND THREAD SYSVSEM
      0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;

  private final NativeBuffer buffer = new NativeBuffer(512);

  /**
   * Reads a frozen thread. Stands in the pause.
   *
   * @param innerTid its number in its own pid namespace
   */
  public ThreadImage capture(int pid, Tracee tracee, BorrowedThread borrowed, int innerTid) {
    List<SeccompFilter> filters = filters(pid, tracee);
    int tid = tracee.number();
    RemoteAddress scratch = borrowed.scratch();
    borrowed.call("sigaltstack", "thread " + tid, Nr.SIGALTSTACK, 0, scratch.value());
    borrowed.call(
        "prctl(PR_GET_TID_ADDRESS)",
        "thread " + tid,
        Nr.PRCTL,
        PR_GET_TID_ADDRESS,
        scratch.value() + 32);
    long slack = borrowed.tryCall(Nr.PRCTL, PR_GET_TIMERSLACK);
    ByteBuffer told = ByteBuffer.wrap(borrowed.read(scratch, 40)).order(ByteOrder.LITTLE_ENDIAN);
    AlternateStack stack =
        new AlternateStack(
            new RemoteAddress(told.getLong(0)), told.getInt(8) & ~SS_ONSTACK, told.getLong(16));
    Sys.call(
        "get_robust_list",
        "thread " + tid,
        GET_ROBUST_LIST,
        tid,
        buffer.address(),
        buffer.address() + 8);
    RemoteAddress robust = new RemoteAddress(buffer.bytes().getLong(0));
    long robustBytes = buffer.bytes().getLong(8);
    long[] rseq = tracee.rseq();
    return new ThreadImage(
        innerTid,
        ProcFs.read(ProcFs.of(pid, "task/" + tid + "/comm")).stripTrailing(),
        borrowed.registers(),
        borrowed.xstate(),
        borrowed.signalMask(),
        tracee.pendingSignals(false),
        stack,
        new RemoteAddress(told.getLong(32)),
        robust,
        robustBytes,
        new Rseq(new RemoteAddress(rseq[0]), (int) rseq[1], (int) rseq[2]),
        slack,
        scheduling(tid),
        filters.isEmpty() ? 0 : SECCOMP_FILTERS,
        filters);
  }

  private Scheduling scheduling(int tid) {
    // struct sched_attr { u32 size, policy; u64 flags; s32 nice; u32 priority; … }
    Sys.call(
        "sched_getattr",
        "thread " + tid,
        SCHED_GETATTR,
        tid,
        buffer.address(),
        SCHED_ATTR_BYTES,
        0,
        0,
        0);
    int policy = buffer.bytes().getInt(4);
    int nice = buffer.bytes().getInt(16);
    int priority = buffer.bytes().getInt(20);
    long bytes =
        Sys.call(
            "sched_getaffinity",
            "thread " + tid,
            SCHED_GETAFFINITY,
            tid,
            AFFINITY_BYTES,
            buffer.address());
    return new Scheduling(policy, nice, priority, buffer.copy(0, (int) bytes));
  }

  private static boolean isFiltered(int pid, int tid) {
    return ProcStatus.parse(ProcFs.read(ProcFs.of(pid, "task/" + tid + "/status"))).seccomp() != 0;
  }

  private static NotPermittedException filtersNotPermitted(int pid, SyscallException cause) {
    return new NotPermittedException(
        "process "
            + pid
            + " filters its system calls, and only CAP_SYS_ADMIN may read such filters: run as root",
        cause);
  }

  private static List<SeccompFilter> filters(int pid, Tracee tracee) {
    List<SeccompFilter> filters = new ArrayList<>();
    for (int i = 0; i < MAX_FILTERS; i++) {
      byte[] program;
      try {
        program = tracee.seccompFilter(i);
      } catch (SyscallException e) {
        // Without the privilege the kernel does not even tell that there are none.
        if (e.errno() == Errno.EACCES && !isFiltered(pid, tracee.number())) {
          break;
        }
        throw e.errno() == Errno.EACCES ? filtersNotPermitted(pid, e) : e;
      }
      if (program == null) {
        break;
      }
      filters.add(new SeccompFilter(tracee.seccompFlags(i), program));
    }
    Collections.reverse(filters);
    return filters;
  }

  /** Makes the threads beside the leading one; they stay stopped. In the order of the images. */
  public static List<Tracee> make(Husk husk, List<ThreadImage> images) {
    List<Tracee> made = new ArrayList<>();
    made.add(husk.leader());
    for (ThreadImage image : images.subList(1, images.size())) {
      long wanted = husk.place(Husk.int32(image.tid()));
      // struct clone_args { u64 flags pidfd child_tid parent_tid exit_signal stack stack_size tls
      // set_tid
      //                     set_tid_size cgroup }
      ByteBuffer arguments = ByteBuffer.allocate(88).order(ByteOrder.LITTLE_ENDIAN);
      arguments.putLong(0, CLONE_FLAGS).putLong(64, wanted).putLong(72, 1);
      long[] result = new long[1];
      // No stack of its own: it is given its registers before it ever runs.
      long at = husk.place(arguments.array());
      Tracee thread = husk.tryClone(result, Nr.CLONE3, at, arguments.capacity());
      if (thread == null) {
        Sys.check("clone3", "thread " + image.tid(), result[0]);
        throw new IllegalStateException("clone3 made no thread");
      }
      made.add(thread);
    }
    return made;
  }

  /** Gives a stopped thread everything but its registers, by calls made in it. */
  public static void restore(Husk husk, Tracee thread, ThreadImage image) {
    husk.use(thread);
    String subject = "thread " + image.tid();
    ByteBuffer stack = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    AlternateStack saved = image.alternateStack();
    stack.putLong(0, saved.address().value()).putInt(8, saved.flags()).putLong(16, saved.bytes());
    husk.queue("sigaltstack", subject, Nr.SIGALTSTACK, husk.place(stack.array()), 0);
    husk.queue("set_tid_address", subject, Nr.SET_TID_ADDRESS, image.clearChildTid().value());
    if (image.robustListBytes() != 0) {
      husk.queue(
          "set_robust_list",
          subject,
          Nr.SET_ROBUST_LIST,
          image.robustList().value(),
          image.robustListBytes());
    }
    if (image.rseq().address().value() != 0) {
      husk.queue(
          "rseq",
          subject,
          Nr.RSEQ,
          image.rseq().address().value(),
          image.rseq().bytes(),
          0,
          image.rseq().signature() & 0xffffffffL);
    }
    husk.queue("prctl(PR_SET_NAME)", subject, Nr.PRCTL, PR_SET_NAME, husk.place(image.name()));
    husk.queue(
        "prctl(PR_SET_TIMERSLACK)", subject, Nr.PRCTL, PR_SET_TIMERSLACK, image.timerSlackNanos());
    for (byte[] info : image.pending()) {
      husk.queue(
          "rt_tgsigqueueinfo",
          subject,
          Nr.RT_TGSIGQUEUEINFO,
          husk.innerPid(),
          image.tid(),
          info[0],
          husk.place(info));
    }
    husk.flush();
    restoreScheduling(thread.number(), image);
  }

  private static void restoreScheduling(int tid, ThreadImage image) {
    Scheduling saved = image.scheduling();
    NativeBuffer attributes = new NativeBuffer(SCHED_ATTR_BYTES);
    attributes.bytes().putInt(0, SCHED_ATTR_BYTES).putInt(4, saved.policy());
    attributes.bytes().putInt(16, saved.nice()).putInt(20, saved.priority());
    Sys.call("sched_setattr", "thread " + tid, SCHED_SETATTR, tid, attributes.address(), 0);
    NativeBuffer affinity = NativeBuffer.ofBytes(saved.affinity());
    // A machine with fewer processors: where it may run is then left to the kernel.
    Sys.tryCall(SCHED_SETAFFINITY, tid, saved.affinity().length, affinity.address());
  }

  /** Installs system call filters. The husk must be traced with its filters suspended. */
  public static void restoreFilters(
      Husk husk, Tracee thread, ThreadImage image, boolean noNewPrivileges) {
    husk.use(thread);
    String subject = "thread " + image.tid();
    if (noNewPrivileges) {
      husk.queue("prctl(PR_SET_NO_NEW_PRIVS)", subject, Nr.PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    for (SeccompFilter filter : image.seccomp()) {
      long program = husk.place(filter.program());
      // struct sock_fprog { u16 len; struct sock_filter *filter; }
      ByteBuffer described = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
      described.putShort(0, (short) (filter.program().length / 8)).putLong(8, program);
      husk.queue(
          "seccomp",
          subject,
          Nr.SECCOMP,
          SECCOMP_SET_MODE_FILTER,
          filter.flags(),
          husk.place(described.array()));
      husk.flush();
    }
    husk.flush();
  }

  /** Gives a stopped thread its registers: the last thing before it runs. */
  public static void restoreRegisters(Tracee thread, ThreadImage image) {
    thread.setXstate(image.xstate());
    thread.setSignalMask(image.signalMask());
    thread.setRegisters(new Registers(image.registers()));
  }
}
