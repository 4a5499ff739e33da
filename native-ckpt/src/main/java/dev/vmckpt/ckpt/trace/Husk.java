// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A process of our own making that a target is rebuilt in. It is killed when we die
 * (PTRACE_O_EXITKILL), so calls are made in it the fast way: a loop of machine code in a workspace
 * mapped into it takes system calls from a table.
 *
 * <pre>
 * workspace   0 the loop (a page)   4096 the table, 64 bytes a call   + TABLE_BYTES the arena   end − 4096 scratch
 * a call      0 number   8 … 48 six arguments   56 result
 * </pre>
 *
 * <p>All methods must be called on the tracer thread.
 */
public final class Husk implements RemoteProcess {
  /** The size of the workspace in bytes. */
  public static final int WORKSPACE_BYTES = 1 << 20;

  /** Loads a call from the table at rbx, makes it, stores its result, r12 times; then int3. */
  private static final byte[] LOOP =
      HexFormat.of()
          .parseHex(
              "488b03488b7b08488b7310488b53184c8b53204c8b43284c8b4b300f05488943384883c34049ffcc75d6cc");

  private static final int TABLE_OFFSET = 4096;
  private static final int CALL_BYTES = 64;
  private static final int RESULT_OFFSET = 56;
  private static final int MAX_CALLS = 4096;
  private static final int TABLE_BYTES = CALL_BYTES * MAX_CALLS;
  private static final int ARENA_OFFSET = TABLE_OFFSET + TABLE_BYTES;
  private static final int SCRATCH_OFFSET = WORKSPACE_BYTES - SCRATCH_BYTES;
  private static final int OPTIONS =
      Ptrace.O_TRACESYSGOOD | Ptrace.O_EXITKILL | Ptrace.O_TRACECLONE | Ptrace.O_TRACEFORK;
  private static final long ALL_SIGNALS = ~0L;

  private final Tracee leader;
  private final ProcessMemory memory;
  private final RemoteAddress workspace;
  private final NativeBuffer table = new NativeBuffer(TABLE_BYTES);
  private final List<String[]> named = new ArrayList<>();
  private final Registers registers = new Registers();
  private Tracee current;
  private final int innerPid;
  private int calls;
  private int arena = ARENA_OFFSET;
  private @Nullable Tracee born;

  private Husk(Tracee leader, int innerPid, RemoteAddress workspace, ProcessMemory memory) {
    this.leader = leader;
    this.innerPid = innerPid;
    current = leader;
    this.workspace = workspace;
    this.memory = memory;
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
    tracee.setOptions(OPTIONS | (suspendSeccomp ? Ptrace.O_SUSPEND_SECCOMP : 0));
    tracee.setSignalMask(ALL_SIGNALS);
    // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE
    long mapped =
        plainCall(tracee, gadget, Nr.MMAP, workspace.value(), WORKSPACE_BYTES, 3, 0x100022, -1, 0);
    Sys.check("mmap", "a workspace at " + workspace, mapped);
    ProcessMemory memory = new ProcessMemory(tracee.number());
    memory.write(workspace, LOOP);
    long made = plainCall(tracee, gadget, Nr.MPROTECT, workspace.value(), TABLE_OFFSET, 5, 0, 0, 0);
    Sys.check("mprotect", "a workspace at " + workspace, made);
    return new Husk(tracee, tracee.number(), workspace, memory);
  }

  /** The options that children of a husk are traced with. */
  public static int options() {
    return OPTIONS;
  }

  /** Starts tracing a running child of ours and stops it; null if it ended meanwhile. */
  public static @Nullable Tracee stopped(int pid) {
    Tracee tracee = Tracee.trySeize(pid, OPTIONS);
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
    return new Husk(tracee, inner, workspace, new ProcessMemory(tracee.number()));
  }

  /** Makes one call by a {@code syscall} instruction of the process' own, without the workspace. */
  public static long plainCall(
      Tracee tracee,
      RemoteAddress gadget,
      int number,
      long a,
      long b,
      long c,
      long d,
      long e,
      long f) {
    Registers registers = new Registers();
    tracee.getRegisters(registers);
    registers.setCall(gadget.value(), number, a, b, c, d, e, f);
    tracee.setRegisters(registers);
    for (int stop = 0; stop < 2; ) {
      tracee.resume(Ptrace.SYSCALL, 0);
      if (WaitStatus.isSyscall(tracee.await())) {
        stop++;
      }
    }
    tracee.getRegisters(registers);
    return registers.get(Registers.RAX);
  }

  public Tracee leader() {
    return leader;
  }

  /** The thread that the next calls are made in. */
  public void use(Tracee thread) {
    current = thread;
  }

  /** Its number in its own pid namespace. */
  public int innerPid() {
    return innerPid;
  }

  public RemoteAddress workspace() {
    return workspace;
  }

  @Override
  public int pid() {
    return leader.number();
  }

  @Override
  public RemoteAddress scratch() {
    return workspace.plus(SCRATCH_OFFSET);
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
    flush();
    enter(null, "", number, a);
    execute();
    long result = result(0);
    reset();
    return result;
  }

  @Override
  public long call(String name, String subject, int number, long... arguments) {
    return Sys.check(name, subject, tryCall(number, arguments));
  }

  /**
   * Opens a file in it.
   *
   * @return its descriptor there
   */
  public int open(String path, int flags) {
    flush();
    write(scratch(), java.util.Arrays.copyOf(utf8(path), utf8(path).length + 1));
    return (int) call("open", path, Nr.OPENAT, -100, scratch().value(), flags);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
  }

  /**
   * Puts a call that must succeed into the table; it is made by {@link #flush} at the latest. Calls
   * are made in the order they were put.
   */
  public void queue(String name, String subject, int number, long... arguments) {
    enter(name, subject, number, arguments);
    flushIfFull();
  }

  /** Puts a call into the table that may fail. */
  public void queueOptional(int number, long... arguments) {
    enter(null, "", number, arguments);
    flushIfFull();
  }

  /** Copies bytes into the arena, where they stay until the next {@link #flush}. */
  public long place(byte[] bytes) {
    if (arena + bytes.length > SCRATCH_OFFSET) {
      throw new FailureException("an argument of " + bytes.length + " bytes has no room");
    }
    RemoteAddress at = workspace.plus(arena);
    memory.write(at, bytes);
    arena += (bytes.length + 15) & -16;
    return at.value();
  }

  /** A number of 32 bits as it lies in memory. */
  public static byte[] int32(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  /** Copies a text into the arena, with the zero behind it that C expects. */
  public long place(String text) {
    byte[] bytes = utf8(text);
    return place(java.util.Arrays.copyOf(bytes, bytes.length + 1));
  }

  /**
   * Makes all calls in the table.
   *
   * @throws dev.vmckpt.spi.error.SyscallException for the first that must succeed and did not
   */
  public void flush() {
    if (calls > 0) {
      execute();
      for (int i = 0; i < calls; i++) {
        String[] name = named.get(i);
        if (name.length > 0) {
          Sys.check(name[0], name[1], result(i));
        }
      }
    }
    reset();
  }

  /**
   * Makes a call that makes a new thread or process.
   *
   * @return it, stopped at its beginning, with all signals blocked; or minus the errno in {@code
   *     error}
   */
  public @Nullable Tracee tryClone(long[] error, int number, long... arguments) {
    born = null;
    // Not through tryCall: what was placed in the arena for this call must still be there.
    enter(null, "", number, arguments);
    execute();
    error[0] = result(calls - 1);
    reset();
    Tracee child = born;
    if (child != null) {
      child.await();
      child.setSignalMask(ALL_SIGNALS);
    }
    return child;
  }

  /** Only between calls: what a call refers to must still lie in the arena when it is made. */
  private void flushIfFull() {
    if (calls == MAX_CALLS || arena > ARENA_OFFSET + (SCRATCH_OFFSET - ARENA_OFFSET) / 2) {
      flush();
    }
  }

  private void enter(@Nullable String name, String subject, int number, long[] a) {
    int at = calls * CALL_BYTES;
    table.bytes().putLong(at, number);
    for (int i = 0; i < 6; i++) {
      table.bytes().putLong(at + 8 + i * 8, i < a.length ? a[i] : 0);
    }
    named.add(name == null ? new String[0] : new String[] {name, subject});
    calls++;
  }

  private long result(int call) {
    return table.bytes().getLong(call * CALL_BYTES + RESULT_OFFSET);
  }

  private void reset() {
    calls = 0;
    arena = ARENA_OFFSET;
    named.clear();
  }

  private void execute() {
    RemoteAddress at = workspace.plus(TABLE_OFFSET);
    memory.write(at, table.address(), calls * CALL_BYTES);
    current.getRegisters(registers);
    registers.set(Registers.RIP, workspace.value());
    registers.set(Registers.RBX, at.value());
    registers.set(Registers.R12, calls);
    registers.set(Registers.RSP, scratch().value());
    registers.set(Registers.ORIG_RAX, -1);
    current.setRegisters(registers);
    while (true) {
      current.resume(Ptrace.CONT, 0);
      int status = current.await();
      int event = WaitStatus.event(status);
      if (event == WaitStatus.EVENT_CLONE || event == WaitStatus.EVENT_FORK) {
        born = new Tracee((int) current.eventMessage());
      } else if (WaitStatus.isSignal(status)) {
        if (WaitStatus.signal(status) == WaitStatus.SIGTRAP) {
          break;
        }
        throw new FailureException(
            "the process being built was hit by signal " + WaitStatus.signal(status));
      }
    }
    byte[] results = memory.read(at, calls * CALL_BYTES);
    table.bytes().put(0, results);
  }

  /**
   * Turns it into a small program of machine code and lets it go: rbx holds {@code number}, r13
   * points to the scratch. The code lies behind the loop in the workspace.
   */
  public void become(byte[] code, long number) {
    RemoteAddress at = workspace.plus(LOOP.length + 16);
    memory.write(at, code);
    leader.getRegisters(registers);
    registers.set(Registers.RIP, at.value());
    registers.set(Registers.RBX, number);
    registers.set(Registers.R12, 0);
    registers.set(Registers.R13, scratch().value());
    registers.set(Registers.ORIG_RAX, -1);
    leader.setRegisters(registers);
    leader.setSignalMask(0);
    leader.detach();
    memory.close();
  }

  /** The open view of its memory. */
  public ProcessMemory memory() {
    return memory;
  }

  /**
   * Ends the process and takes its exit status: first those of its other threads, for the kernel
   * keeps that of the leading one back until they are taken.
   */
  public void kill() {
    Sys.tryCall(Nr.KILL, leader.number(), 9, 0);
    String[] threads = new File("/proc/" + leader.number() + "/task").list();
    for (int i = 0; threads != null && i < threads.length; i++) {
      int tid = Integer.parseInt(threads[i]);
      if (tid != leader.number()) {
        awaitEnd(new Tracee(tid));
      }
    }
    awaitEnd(leader);
    memory.close();
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
}
