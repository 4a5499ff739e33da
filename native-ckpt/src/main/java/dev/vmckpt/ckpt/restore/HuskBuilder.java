// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.restore;

import dev.vmckpt.ckpt.memory.FreeRange;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.ckpt.trace.Tracee;
import dev.vmckpt.ckpt.trace.VdsoCode;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.image.AreaImage;
import dev.vmckpt.spi.image.ProcessImage;
import dev.vmckpt.spi.image.ThreadImage;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Makes the process that a target is rebuilt in: with its number, or else in a pid namespace.
 *
 * <p>A small program is started and stopped; it unshares what has to be unshared, and forks the
 * husk with clone3's {@code set_tid}. In a pid namespace a process 1 of ours comes in between,
 * which waits for the target and ends as it ends.
 */
final class HuskBuilder implements AutoCloseable {
  /**
   * Any small program; it is stopped in its first instants. If we die before we trace it, it ends
   * by itself.
   */
  private static final String[] PROGRAM = {"/bin/sleep", "5"};

  private static final long CLONE_PARENT = 0x8000;
  private static final long CLONE_NEWPID = 0x20000000;
  private static final int SIGCHLD = 17;
  private static final long ZOMBIE_WAIT_NANOS = 5_000_000_000L;
  private static final long RSEQ_FLAG_UNREGISTER = 1;

  /**
   * The process 1 of a pid namespace: waits for its children until there are none, then ends as the
   * one whose number is in rbx has ended. r13 points to a word of scratch.
   */
  private static final byte[] INIT =
      HexFormat.of()
          .parseHex(
              "b83d00000048c7c7ffffffff4c89eeba000000404531d20f054883f8fc74e14885c0780b4839d875d7458b65"
                  + "00ebd14489e783e77f740881c780000000eb0c4489e7c1ef0881e7ff000000b8e70000000f05");

  private final ProcessImage image;
  private final boolean suspendSeccomp;
  private @Nullable Husk first;
  private @Nullable Husk init;
  private @Nullable Husk husk;
  private byte[] xstate = new byte[0];

  HuskBuilder(ProcessImage image) {
    this.image = image;
    boolean filtered = false;
    for (ThreadImage thread : image.threads()) {
      filtered |= !thread.seccomp().isEmpty();
    }
    suspendSeccomp = filtered;
  }

  /** Starts the first process and stops it. */
  void start() {
    int pid = Spawn.start(PROGRAM);
    Tracee tracee = Husk.stopped(pid);
    if (tracee == null) {
      throw new FailureException("the process to build in ended before its time");
    }
    xstate = tracee.xstate();
    FreeRange range = new FreeRange();
    RemoteAddress gadget;
    try (ProcessMemory memory = new ProcessMemory(pid)) {
      List<ProcArea> areas = VdsoCode.areas(pid);
      for (ProcArea area : areas) {
        range.take(area.start(), area.end());
      }
      gadget = VdsoCode.syscall(memory, areas);
    }
    for (AreaImage area : image.memory().areas()) {
      range.take(area.start().value(), area.end().value());
    }
    range.take(image.memory().vdso().value(), image.memory().vdsoEnd().value());
    first = Husk.seize(tracee, gadget, range.find(Husk.WORKSPACE_BYTES), suspendSeccomp);
  }

  /** The first process, in which things may be tried before anything is built. */
  Husk first() {
    return started();
  }

  /** The extended state of a process here: tells what this machine can restore. */
  byte[] xstate() {
    return xstate;
  }

  /**
   * Makes the husk, with nothing mapped but its workspace, and nothing open but what was kept.
   *
   * @param kept the first number of what stays open
   * @return it
   */
  Husk build(int kept) {
    Husk from = started();
    from.queue("close_range", "all descriptors", Nr.CLOSE_RANGE, 0, kept - 1, 0);
    from.flush();
    Husk made = numbersAreFree() ? tryMake(from, CLONE_PARENT) : null;
    if (made == null) {
      long unshared = from.tryCall(Nr.UNSHARE, CLONE_NEWPID);
      if (unshared == -Errno.EPERM) {
        throw new NotPermittedException(
            "process number "
                + image.pid()
                + " is taken, and only who has CAP_SYS_ADMIN may make a pid namespace: run as root");
      }
      Sys.check("unshare", "a pid namespace", unshared);
      init = makeInit(from);
      made = tryMake(init, 0);
      if (made == null) {
        throw new FailureException(
            "process " + image.pid() + " has no room in a pid namespace of its own");
      }
      // The init outlives its child: what it held would not hang up.
      init.queue("close_range", "kept descriptors", Nr.CLOSE_RANGE, 0, 0xffffffffL, 0);
      init.flush();
    }
    husk = made;
    from.kill();
    first = null;
    empty(made);
    return made;
  }

  /** The init of the pid namespace, if there had to be one. */
  @Nullable Husk init() {
    return init;
  }

  private Husk started() {
    Husk from = first;
    if (from == null) {
      throw new IllegalStateException("not started");
    }
    return from;
  }

  /** Whether all numbers of the target can be had in our own namespace. */
  private boolean numbersAreFree() {
    long deadline = System.nanoTime() + ZOMBIE_WAIT_NANOS;
    for (ThreadImage thread : image.threads()) {
      while (true) {
        try {
          ProcStat holder = ProcStat.parse(ProcFs.read(ProcFs.of(thread.tid(), "stat")));
          if ((holder.state() != 'Z' && holder.state() != 'X') || System.nanoTime() > deadline) {
            return false;
          }
          // Killed a moment ago; its number is free as soon as its parent has noticed.
          LockSupport.parkNanos(1_000_000);
        } catch (TargetGoneException free) {
          break;
        }
      }
    }
    return true;
  }

  /** Forks the husk with the target's number; null if somebody has it. */
  private @Nullable Husk tryMake(Husk from, long flags) {
    long deadline = System.nanoTime() + ZOMBIE_WAIT_NANOS;
    while (true) {
      long[] error = new long[1];
      // With CLONE_PARENT the signal at its end is that of the first process, SIGCHLD as well.
      Tracee tracee =
          from.tryClone(
              error,
              Nr.CLONE3,
              cloneArguments(from, flags, flags == 0 ? SIGCHLD : 0, image.pid()),
              88);
      if (tracee != null) {
        return from.child(tracee, image.pid());
      }
      if (error[0] == -Errno.EPERM) {
        throw new NotPermittedException(
            "a process may get its old number back only by who has CAP_CHECKPOINT_RESTORE or"
                + " CAP_SYS_ADMIN: run as root");
      }
      if (error[0] != -Errno.EEXIST) {
        Sys.check("clone3", "process " + image.pid(), error[0]);
      }
      if (System.nanoTime() > deadline || !numbersAreFree()) {
        return null;
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  private static Husk makeInit(Husk from) {
    long[] error = new long[1];
    Tracee tracee = from.tryClone(error, Nr.CLONE3, cloneArguments(from, CLONE_PARENT, 0, 0), 88);
    if (tracee == null) {
      Sys.check("clone3", "the first process of a pid namespace", error[0]);
      throw new IllegalStateException("clone3 made no process");
    }
    return from.child(tracee, 1);
  }

  /** struct clone_args of include/uapi/linux/sched.h. */
  private static long cloneArguments(Husk from, long flags, int exitSignal, int pid) {
    long wanted = from.place(Husk.int32(pid));
    ByteBuffer arguments = ByteBuffer.allocate(88).order(ByteOrder.LITTLE_ENDIAN);
    arguments.putLong(0, flags).putLong(32, exitSignal);
    if (pid != 0) {
      arguments.putLong(64, wanted).putLong(72, 1);
    }
    return from.place(arguments.array());
  }

  /** Takes everything from the husk that it inherited. */
  private static void empty(Husk made) {
    long[] rseq = made.leader().rseq();
    if (rseq[0] != 0) {
      made.queue(
          "rseq",
          "the husk",
          Nr.RSEQ,
          rseq[0],
          rseq[1],
          RSEQ_FLAG_UNREGISTER,
          rseq[2] & 0xffffffffL);
    }
    made.queue("set_robust_list", "the husk", Nr.SET_ROBUST_LIST, 0, 24);
    made.queue("set_tid_address", "the husk", Nr.SET_TID_ADDRESS, 0);
    made.queue("setsid", "the husk", Nr.SETSID);
    long workspace = made.workspace().value();
    long behind = workspace + Husk.WORKSPACE_BYTES;
    made.queue("munmap", "the husk's memory", Nr.MUNMAP, 0, workspace);
    made.queue("munmap", "the husk's memory", Nr.MUNMAP, behind, 0x7ffffffff000L - behind);
    made.flush();
  }

  /** Lets the init run its loop; it goes on by itself from here. */
  void releaseInit() {
    Husk process = init;
    if (process != null) {
      process.become(INIT, image.pid());
    }
  }

  /** Kills whatever was made and not released. */
  @Override
  public void close() {
    if (husk != null) {
      husk.kill();
    }
    if (init != null) {
      init.kill();
    }
    if (first != null) {
      first.kill();
    }
  }

  /** What was made is a running process now: nothing of it is killed any more. */
  void released() {
    husk = null;
    init = null;
  }
}
