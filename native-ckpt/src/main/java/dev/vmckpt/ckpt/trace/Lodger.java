// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * A task of ours in the address space of a live target: it shares memory and descriptors with it
 * (clone(2) with CLONE_VM and CLONE_FILES) and is no thread of it, so that it can be stopped, run
 * and killed without the target noticing, and makes calls while the target runs. What the kernel
 * grants only to who owns an address space, as KVM does, it grants to a lodger.
 *
 * <p>It has its own table of signal handlers: the int3 at the end of its code would else reset the
 * target's. When we die it is killed; the workspace stays mapped then, a megabyte of which some
 * pages are in use, and no harm is done.
 */
public final class Lodger extends OwnTask implements AutoCloseable {
  private static final int SIGKILL = 9;

  private final RemoteAddress gadget;
  private final int innerPid;
  private boolean open = true;

  private Lodger(
      Tracee tracee,
      int innerPid,
      RemoteAddress gadget,
      RemoteAddress workspace,
      ProcessMemory memory) {
    super(tracee, workspace, memory);
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
      return new Lodger(child.tracee(), child.innerPid(), gadget, workspace, memory);
    } catch (RuntimeException e) {
      child.close();
      throw e;
    }
  }

  /** Its number in the target's pid namespace, where it has to be waited for. */
  public int innerPid() {
    return innerPid;
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
