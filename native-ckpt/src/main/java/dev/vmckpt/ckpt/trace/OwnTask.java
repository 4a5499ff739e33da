// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import org.jspecify.annotations.Nullable;

/**
 * A task of our own making, killed when we die (PTRACE_O_EXITKILL), so that calls can be made in it
 * the fast way: a loop of machine code in a workspace mapped into it takes system calls from a
 * table.
 *
 * <pre>
 * workspace   0 the loop, 512 the sweep (a page)   4096 the table of calls, behind it their arguments
 *             PREPARED_OFFSET tables that are filled ahead, each before its arguments
 *             end − 4096 scratch
 * a sweep     0 number   8 … 24 three arguments  32 field  40 step  48 count  56 usual result
 * </pre>
 *
 * <p>All methods must be called on the tracer thread.
 */
public abstract sealed class OwnTask implements RemoteTask permits Husk, Lodger {
  /** The size of the workspace in bytes. */
  public static final int WORKSPACE_BYTES = 2 << 20;

  /** Where in the workspace other code of ours may be put, up to the end of its first page. */
  static final int CODE_OFFSET = 1024;

  private static final int TABLE_OFFSET = 4096;
  private static final int MAX_CALLS = 4096;
  private static final int PREPARED_OFFSET = 1 << 20;
  private static final int SCRATCH_OFFSET = WORKSPACE_BYTES - SCRATCH_BYTES;
  private static final int OPTIONS =
      Ptrace.O_TRACESYSGOOD | Ptrace.O_EXITKILL | Ptrace.O_TRACECLONE | Ptrace.O_TRACEFORK;
  private static final long ALL_SIGNALS = ~0L;

  private final Tracee leader;
  private final ProcessMemory memory;
  private final RemoteAddress workspace;
  private final Registers registers = new Registers();
  private final CallTable table;
  private int prepared = PREPARED_OFFSET;
  private Tracee current;
  private @Nullable OtherProcessor elsewhere;
  private @Nullable CallTable running;
  private @Nullable Tracee born;

  OwnTask(Tracee leader, RemoteAddress workspace, ProcessMemory memory) {
    this.leader = leader;
    current = leader;
    this.workspace = workspace;
    this.memory = memory;
    table =
        new CallTable(
            this, workspace.plus(TABLE_OFFSET), MAX_CALLS, workspace.plus(PREPARED_OFFSET));
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
    table.tryCall(number, a);
    table.run();
    return table.result(0);
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
    table.call(name, subject, number, arguments);
    flushIfFull();
  }

  /** Puts a call into the table that may fail. */
  public void queueOptional(int number, long... arguments) {
    table.tryCall(number, arguments);
    flushIfFull();
  }

  /** Places bytes as an argument, where they stay until the next {@link #flush}. */
  public long place(byte[] bytes) {
    return table.place(bytes).value();
  }

  /** Places a text as an argument, with the zero behind it that C expects. */
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
    table.run();
  }

  /**
   * Makes a call that makes a new thread or process.
   *
   * @return it, stopped at its beginning, with all signals blocked; or minus the errno in {@code
   *     error}
   */
  public @Nullable Tracee tryClone(long[] error, int number, long... arguments) {
    born = null;
    // Not through tryCall: what was placed for this call must still be there.
    int index = table.tryCall(number, arguments);
    table.run();
    error[0] = table.result(index);
    Tracee child = born;
    if (child != null) {
      child.await();
      child.setSignalMask(ALL_SIGNALS);
    }
    return child;
  }

  /** Only between calls: what a call refers to must still lie in the arena when it is made. */
  private void flushIfFull() {
    if (table.isFilling()) {
      flush();
    }
  }

  @Override
  public CallBatch batch() {
    flush();
    return table;
  }

  @Override
  public @Nullable CallBatch tryPrepare(int calls, int bytes) {
    long length = (long) CallTable.bytes(calls) + bytes;
    if (length > SCRATCH_OFFSET - prepared) {
      return null;
    }
    if (elsewhere == null) {
      elsewhere = new OtherProcessor(pid());
    }
    RemoteAddress rows = workspace.plus(prepared);
    prepared += (int) (length + 15) & -16;
    // Its pages are there before the pause.
    memory.write(rows, new byte[CallTable.bytes(calls)]);
    return new CallTable(this, rows, calls, workspace.plus(prepared));
  }

  @Override
  public long sweep(
      int number, long a, long b, long c, RemoteAddress field, long step, long count, long usual) {
    flush();
    awaitRunning();
    RemoteAddress at = table.rows();
    NativeBuffer row = table.row(number, a, b, c, field.value(), step, count);
    row.bytes().putLong(CallTable.RESULT_OFFSET, usual);
    memory.write(at, row.address(), CallTable.ROW_BYTES);
    begin(workspace.plus(WorkspaceCode.SWEEP_OFFSET), at, 0);
    awaitEnd();
    current.getRegisters(registers);
    return registers.get(Registers.R12);
  }

  /** Has what is started next made at the same time as other work. */
  void beside() {
    if (elsewhere != null) {
      elsewhere.take();
    }
  }

  /** Begins to make the calls of a table that lies in the workspace. */
  void start(CallTable started, RemoteAddress rows, int calls) {
    awaitRunning();
    begin(workspace, rows, calls);
    running = started;
  }

  /** Waits for the end of a table that was started, if it has not been waited for. */
  void await(CallTable started) {
    if (running == started) {
      awaitRunning();
    }
  }

  /** Waits for what was started; it must not be running when the target goes on. */
  public void awaitRunning() {
    if (running != null) {
      running = null;
      awaitEnd();
    }
  }

  /** Lets it run into code of the workspace. */
  private void begin(RemoteAddress code, RemoteAddress rbx, long r12) {
    current.getRegisters(registers);
    registers.set(Registers.RIP, code.value());
    registers.set(Registers.RBX, rbx.value());
    registers.set(Registers.R12, r12);
    registers.set(Registers.RSP, scratch().value());
    registers.set(Registers.ORIG_RAX, -1);
    current.setRegisters(registers);
    current.resume(Ptrace.CONT, 0);
  }

  /** Waits for the int3 behind that code. */
  private void awaitEnd() {
    while (true) {
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
      current.resume(Ptrace.CONT, 0);
    }
  }

  /** Does something in which the task is not killed when we die, if it lives on without us. */
  abstract void outliving(Runnable work);

  /** The open view of its memory. */
  public ProcessMemory memory() {
    return memory;
  }
}
