// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** A process of our own making that a target is rebuilt in. */
public final class Husk extends OwnTask {
  private final Registers registers = new Registers();
  private final int innerPid;

  private Husk(Tracee leader, int innerPid, RemoteAddress workspace, ProcessMemory memory) {
    super(leader, workspace, memory);
    this.innerPid = innerPid;
  }

  /**
   * Seizes a process we have just started and maps the workspace into it.
   *
   * @param suspendSeccomp whether filters it will be given must not hinder us
   * @param gadget the address of a {@code syscall} instruction in it
   * @param workspace a free range of {@link #WORKSPACE_BYTES} in it
   */
  public static Husk seize(
      Tracee tracee, RemoteAddress gadget, RemoteAddress workspace, boolean suspendSeccomp) {
    ProcessMemory memory = furnish(tracee, gadget, workspace, suspendSeccomp);
    return new Husk(tracee, tracee.number(), workspace, memory);
  }

  /** Starts tracing a running child of ours and stops it; null if it ended meanwhile. */
  public static @Nullable Tracee stopped(int pid) {
    Tracee tracee = Tracee.trySeize(pid, options());
    if (tracee == null) {
      return null;
    }
    tracee.interrupt();
    return tracee.awaitInterrupt(System.nanoTime() + 10_000_000_000L) ? tracee : null;
  }

  /**
   * The same workspace in a copy of this husk that it has just made of itself.
   *
   * @param inner the copy's number in its own pid namespace
   */
  public Husk child(Tracee tracee, int inner) {
    return new Husk(tracee, inner, workspace(), new ProcessMemory(tracee.number()));
  }

  /** Its number in its own pid namespace. */
  public int innerPid() {
    return innerPid;
  }

  /** A number of 32 bits as it lies in memory. */
  public static byte[] int32(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  /**
   * Turns it into a small program of machine code and lets it go: rbx holds {@code number}, r13
   * points to the scratch. The code lies in the workspace.
   */
  public void become(byte[] code, long number) {
    RemoteAddress at = workspace().plus(CODE_OFFSET);
    memory().write(at, code);
    leader().getRegisters(registers);
    registers.set(Registers.RIP, at.value());
    registers.set(Registers.RBX, number);
    registers.set(Registers.R12, 0);
    registers.set(Registers.R13, scratch().value());
    registers.set(Registers.ORIG_RAX, -1);
    leader().setRegisters(registers);
    leader().setSignalMask(0);
    leader().detach();
    memory().close();
  }

  /**
   * Ends the process and takes its exit status: first those of its other threads, for the kernel
   * keeps that of the leading one back until they are taken.
   */
  public void kill() {
    Sys.tryCall(Nr.KILL, leader().number(), 9, 0);
    String[] threads = new File("/proc/" + leader().number() + "/task").list();
    for (int i = 0; threads != null && i < threads.length; i++) {
      int tid = Integer.parseInt(threads[i]);
      if (tid != leader().number()) {
        awaitEnd(new Tracee(tid));
      }
    }
    awaitEnd(leader());
    memory().close();
  }

  private static void awaitEnd(Tracee thread) {
    try {
      while (true) {
        thread.await();
      }
    } catch (TargetGoneException ended) {
      // Ended, as it should.
    }
  }

  /** A husk has nothing to finish: it is nobody's yet. */
  @Override
  void outliving(Runnable work) {
    work.run();
  }
}
