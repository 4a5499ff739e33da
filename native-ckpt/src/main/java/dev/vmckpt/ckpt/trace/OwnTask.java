// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A task of our own making, killed when we die (PTRACE_O_EXITKILL), so that calls can be made in it
 * the fast way: a loop of machine code in a workspace mapped into it takes system calls from a
 * table.
 *
 * <pre>
 * workspace   0 the loop, 512 the sweep (a page)   4096 the table, 64 bytes a call
 *             + TABLE_BYTES the arena              end − 4096 scratch
 * a call      0 number   8 … 48 six arguments   56 result
 * a sweep     0 number   8 … 24 three arguments  32 field  40 step  48 count  56 usual result
 * </pre>
 *
 * <p>All methods must be called on the tracer thread.
 */
public abstract sealed class OwnTask implements RemoteTask permits Husk, Lodger {
  /** The size of the workspace in bytes. */
  public static final int WORKSPACE_BYTES = 1 << 20;

  /** Where in the workspace other code of ours may be put, up to the end of its first page. */
  static final int CODE_OFFSET = 1024;

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
  private final Batch batch = new Batch();
  private Tracee current;
  private int calls;
  private int arena = ARENA_OFFSET;
  private @Nullable Tracee born;

  OwnTask(Tracee leader, RemoteAddress workspace, ProcessMemory memory) {
    this.leader = leader;
    current = leader;
    this.workspace = workspace;
    this.memory = memory;
  }

  /**
   * Makes a stopped task ours, and maps the workspace into it.
   *
   * @param gadget the address of a {@code syscall} instruction in it
   * @param workspace a free range of {@link #WORKSPACE_BYTES} in it
   * @param suspendSeccomp whether filters it has or will be given must not hinder us
   * @return its memory
   */
  static ProcessMemory furnish(
      Tracee tracee, RemoteAddress gadget, RemoteAddress workspace, boolean suspendSeccomp) {
    tracee.setOptions(OPTIONS | (suspendSeccomp ? Ptrace.O_SUSPEND_SECCOMP : 0));
    tracee.setSignalMask(ALL_SIGNALS);
    // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE
    long mapped =
        plainCall(tracee, gadget, Nr.MMAP, workspace.value(), WORKSPACE_BYTES, 3, 0x100022, -1, 0);
    Sys.check("mmap", "a workspace at " + workspace, mapped);
    ProcessMemory memory = new ProcessMemory(tracee.number());
    WorkspaceCode.write(memory, workspace);
    long made = plainCall(tracee, gadget, Nr.MPROTECT, workspace.value(), TABLE_OFFSET, 5, 0, 0, 0);
    Sys.check("mprotect", "a workspace at " + workspace, made);
    return memory;
  }

  /** The options that children of a husk are traced with. */
  public static int options() {
    return OPTIONS;
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
    try {
      if (calls > 0) {
        execute();
      }
      for (int i = 0; i < calls; i++) {
        String[] name = named.get(i);
        if (name.length > 0) {
          Sys.check(name[0], name[1], result(i));
        }
      }
    } finally {
      reset();
    }
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

  @Override
  public CallBatch batch() {
    flush();
    return batch;
  }

  @Override
  public long sweep(
      int number, long a, long b, long c, RemoteAddress field, long step, long count, long usual) {
    flush();
    table.bytes().putLong(0, number).putLong(8, a).putLong(16, b).putLong(24, c);
    table.bytes().putLong(32, field.value()).putLong(40, step);
    table.bytes().putLong(48, count).putLong(56, usual);
    RemoteAddress at = workspace.plus(TABLE_OFFSET);
    memory.write(at, table.address(), CALL_BYTES);
    run(workspace.plus(WorkspaceCode.SWEEP_OFFSET), at, 0);
    current.getRegisters(registers);
    return registers.get(Registers.R12);
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
    run(workspace, at, calls);
    memory.tryRead(at.value(), table.address(), (long) calls * CALL_BYTES);
  }

  /** Runs code of the workspace until its int3. */
  private void run(RemoteAddress code, RemoteAddress rbx, long r12) {
    current.getRegisters(registers);
    registers.set(Registers.RIP, code.value());
    registers.set(Registers.RBX, rbx.value());
    registers.set(Registers.R12, r12);
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
          return;
        }
        throw new FailureException(
            "our own process was hit by signal " + WaitStatus.signal(status));
      }
    }
  }

  /** Does something in which the task is not killed when we die, if it lives on without us. */
  abstract void outliving(Runnable work);

  /** The open view of its memory. */
  public ProcessMemory memory() {
    return memory;
  }

  /** The calls that are in the table. */
  private final class Batch implements CallBatch {
    @Override
    public RemoteAddress place(byte[] argument) {
      return new RemoteAddress(OwnTask.this.place(argument));
    }

    @Override
    public RemoteAddress reserve(int bytes) {
      return place(new byte[bytes]);
    }

    @Override
    public int call(String name, String subject, int number, long... arguments) {
      return add(name, subject, number, arguments);
    }

    @Override
    public int tryCall(int number, long... arguments) {
      return add(null, "", number, arguments);
    }

    private int add(@Nullable String name, String subject, int number, long[] arguments) {
      if (calls == MAX_CALLS) {
        throw new IllegalStateException("more than " + MAX_CALLS + " calls at once");
      }
      enter(name, subject, number, arguments);
      return calls - 1;
    }

    @Override
    public void run() {
      flush();
    }

    @Override
    public void runThrough() {
      outliving(this::run);
    }

    @Override
    public long result(int index) {
      return OwnTask.this.result(index);
    }

    @Override
    public byte[] read(RemoteAddress from, int length) {
      return OwnTask.this.read(from, length);
    }
  }
}
