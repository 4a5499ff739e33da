// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A task of ours in the address space of a live target: it shares memory and descriptors with it
 * (clone(2) with CLONE_VM and CLONE_FILES) and is no thread of it, so that it can be stopped, run
 * and killed without the target noticing, and makes calls while the target runs. What the kernel
 * grants only to who owns an address space, as KVM does, it grants to a lodger.
 *
 * <p>It has its own table of signal handlers: the int3 at the end of its code would else reset the
 * target's. When we die it is killed, or ends behind the calls that had to be made to the end; the
 * workspace stays mapped then, until the next lodger takes it along, see {@link Leftovers}.
 */
public final class Lodger extends OwnTask implements AutoCloseable {
  /** What its workspace is called in /proc/PID/maps, if the kernel has names for such areas. */
  public static final String NAME = "[anon:vmckpt lodger]";

  private static final int SIGKILL = 9;
  private static final int SIGTRAP = 5;
  private static final long SIGNAL_SET_BYTES = 8;

  /** SA_RESTORER of asm/signal.h; struct sigaction: 0 handler 8 flags 16 restorer 24 mask. */
  private static final long SA_RESTORER = 0x04000000;

  private static final int SIGACTION_BYTES = 32;

  /** PR_SET_VMA and PR_SET_VMA_ANON_NAME of linux/prctl.h, since Linux 5.17. */
  private static final long SET_VMA = 0x53564d41;

  private static final long ANON_NAME = 0;

  private final RemoteAddress gadget;
  private final int innerPid;
  private final int options;
  private final List<long[]> along = new ArrayList<>();
  private boolean open = true;

  private Lodger(
      Tracee tracee,
      int innerPid,
      RemoteAddress gadget,
      RemoteAddress workspace,
      ProcessMemory memory,
      boolean filtered) {
    super(tracee, workspace, memory);
    options = options() | (filtered ? Ptrace.O_SUSPEND_SECCOMP : 0);
    this.innerPid = innerPid;
    this.gadget = gadget;
  }

  /**
   * Makes one.
   *
   * @param leader a thread of the frozen target
   * @param gadget the address of a {@code syscall} instruction in it
   * @param workspace a free range of {@link #WORKSPACE_BYTES} in it
   * @throws SyscallException if the kernel refuses, for want of memory or process numbers
   */
  public static Lodger moveIn(
      BorrowedThread leader, RemoteAddress gadget, RemoteAddress workspace, boolean filtered) {
    ForkedChild child = leader.lodge();
    try {
      ProcessMemory memory = furnish(child.tracee(), gadget, workspace, filtered);
      Lodger lodger =
          new Lodger(child.tracee(), child.innerPid(), gadget, workspace, memory, filtered);
      lodger.settleIn();
      return lodger;
    } catch (RuntimeException e) {
      child.close();
      throw e;
    }
  }

  /** Names the workspace, and sees to that the int3 ends the task where nobody waits for it. */
  private void settleIn() {
    String name = NAME.substring("[anon:".length(), NAME.length() - 1) + '\0';
    write(scratch(), name.getBytes(StandardCharsets.US_ASCII));
    long start = workspace().value();
    tryCall(Nr.PRCTL, SET_VMA, ANON_NAME, start, WORKSPACE_BYTES, scratch().value());
    // Without a handler it would be a core dump, which up to Linux 5.15 ends all who share memory.
    ByteBuffer action = ByteBuffer.allocate(SIGACTION_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    long end = workspace().plus(WorkspaceCode.END_OFFSET).value();
    action.putLong(end).putLong(SA_RESTORER).putLong(end);
    write(scratch(), action.array());
    call(
        "rt_sigaction",
        "a lodger",
        Nr.RT_SIGACTION,
        SIGTRAP,
        scratch().value(),
        0,
        SIGNAL_SET_BYTES);
    leader().setSignalMask(~(1L << (SIGTRAP - 1)));
  }

  @Override
  void outliving(Runnable work) {
    leader().setOptions(options & ~Ptrace.O_EXITKILL);
    try {
      work.run();
    } finally {
      leader().setOptions(options);
    }
  }

  /** Its number in the target's pid namespace, where it has to be waited for. */
  public int innerPid() {
    return innerPid;
  }

  /** Unmaps something else when it moves out: what a lodger before it has left behind. */
  public void takeAlong(long start, long length) {
    along.add(new long[] {start, length});
  }

  /** Whether a line of /proc/PID/maps, by its first address, is its workspace. */
  public boolean owns(long address) {
    long start = workspace().value();
    return address >= start && address < start + WORKSPACE_BYTES;
  }

  /** Moves out: takes the workspace away and ends. The target may run or be frozen. */
  @Override
  public void close() {
    if (!open) {
      return;
    }
    open = false;
    try {
      awaitRunning();
      for (long[] area : along) {
        plainCall(leader(), gadget, Nr.MUNMAP, area[0], area[1], 0, 0, 0, 0);
      }
      plainCall(leader(), gadget, Nr.MUNMAP, workspace().value(), WORKSPACE_BYTES, 0, 0, 0, 0);
    } catch (TargetGoneException gone) {
      // With the target gone, or killed by somebody: what it had mapped goes with it.
    }
    memory().close();
    Sys.tryCall(Nr.KILL, leader().number(), SIGKILL, 0);
    try {
      while (true) {
        leader().await();
      }
    } catch (TargetGoneException ended) {
      // What was asked for.
    }
  }
}
