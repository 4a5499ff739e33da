// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.Inherited;
import dev.vmckpt.ckpt.RunRequest;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStatus;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Starts a command that is traced from its first instruction on.
 *
 * <p>A throwaway program of ours is stopped, is given what the command shall inherit, and is made
 * to execute the command: all that is handed on at execve(2) is as if the command had been started
 * directly. Until the last step it is killed when we die; from then on it is the command, whether
 * we live or not.
 */
final class Launch {
  /** How a command and what it starts is traced; without EXITKILL, so that it survives us. */
  static final int OPTIONS =
      Ptrace.O_TRACESYSGOOD
          | Ptrace.O_TRACEFORK
          | Ptrace.O_TRACEVFORK
          | Ptrace.O_TRACECLONE
          | Ptrace.O_TRACEEXEC;

  private static final String[] PROGRAM = {"/bin/sleep", "60"};
  private static final int STARTING = Ptrace.O_TRACESYSGOOD | Ptrace.O_EXITKILL;
  private static final long STOP_NANOS = 10_000_000_000L;
  private static final String DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";
  private static final byte[] SHELL = "/bin/sh".getBytes(StandardCharsets.US_ASCII);
  private static final int EXECVE = 59;
  private static final int RLIMIT_NOFILE = 7;
  private static final int SIGNALS = 64;
  private static final int SIGACTION_BYTES = 32;
  private static final int SIGSET_BYTES = 8;
  private static final int ENOEXEC = 8;
  private static final int ENOTDIR = 20;
  private static final int PAGE = 4096;
  private static final int SIGKILL = 9;
  private static final int WALL = 0x40000000;

  private final int pid;
  private final Tracee tracee;
  private final ProcessMemory memory;
  private final RemoteAddress gadget;
  private final Inherited inherited;

  private Launch(int pid, Tracee tracee, ProcessMemory memory, Inherited inherited) {
    this.pid = pid;
    this.tracee = tracee;
    this.memory = memory;
    this.inherited = inherited;
    gadget = VdsoCode.syscall(memory, VdsoCode.areas(pid));
  }

  /**
   * Starts the throwaway program. Its parent is the calling thread: that one has to live on, for a
   * command may ask to be killed when its parent ends (PR_SET_PDEATHSIG), and to the kernel that is
   * a thread.
   *
   * @return its number, which will be the command's
   */
  static int spawn() {
    return Spawn.startBeside(PROGRAM);
  }

  /**
   * Makes it the command. It is stopped at the end of its execve then, and not a single instruction
   * of it has run. If that fails it is ended.
   *
   * @param pid what {@link #spawn} returned
   * @throws SyscallException if it cannot be executed: the errno says why, the subject is the
   *     command
   */
  static void become(int pid, RunRequest request) {
    try {
      Tracee tracee = Tracee.trySeize(pid, STARTING);
      if (tracee == null) {
        throw new TargetGoneException("process " + pid + " ended before it was the command");
      }
      tracee.interrupt();
      if (!tracee.awaitInterrupt(System.nanoTime() + STOP_NANOS)) {
        throw new TargetGoneException("process " + pid + " ended before it was the command");
      }
      try (ProcessMemory memory = new ProcessMemory(pid)) {
        Launch launch = new Launch(pid, tracee, memory, request.inherited());
        launch.prepare();
        launch.execute(request.command(), request.environment());
      }
    } catch (RuntimeException | Error e) {
      Sys.tryCall(Nr.KILL, pid, SIGKILL, 0);
      NativeBuffer word = new NativeBuffer(Long.BYTES);
      Sys.tryCall(Nr.WAIT4, pid, word.address(), WALL);
      throw e;
    }
  }

  /** Gives it what it shall have and the Java machine has not, or has otherwise. */
  private void prepare() {
    setDispositions();
    closeDescriptors();
    if (inherited.openFiles() >= 0) {
      // struct rlimit64 { u64 cur, max; }
      NativeBuffer limit = new NativeBuffer(16);
      Sys.call("prlimit64", "" + pid, Nr.PRLIMIT64, pid, RLIMIT_NOFILE, 0, limit.address(), 0, 0);
      long hard = limit.bytes().getLong(8);
      if (Long.compareUnsigned(inherited.openFiles(), hard) <= 0) {
        limit.bytes().putLong(0, inherited.openFiles());
        Sys.call("prlimit64", "" + pid, Nr.PRLIMIT64, pid, RLIMIT_NOFILE, limit.address(), 0, 0, 0);
      }
    }
  }

  private void setDispositions() {
    long now = ProcStatus.parse(ProcFs.read(ProcFs.of(pid, "status"))).ignored();
    long wanted = inherited.ignoredSignals();
    if (now == wanted) {
      return;
    }
    // struct kernel_sigaction { handler; flags; restorer; mask; }: SIG_DFL 0, SIG_IGN 1
    RemoteAddress actions = map(2 * SIGACTION_BYTES);
    byte[] both = new byte[2 * SIGACTION_BYTES];
    both[SIGACTION_BYTES] = 1;
    memory.write(actions, both);
    for (int signal = 1; signal <= SIGNALS; signal++) {
      long bit = 1L << (signal - 1);
      if (((now ^ wanted) & bit) != 0) {
        long action = actions.value() + ((wanted & bit) != 0 ? SIGACTION_BYTES : 0);
        call(Nr.RT_SIGACTION, signal, action, 0, SIGSET_BYTES);
      }
    }
  }

  private void closeDescriptors() {
    String[] numbers = new File("/proc/" + pid + "/fd").list();
    for (int i = 0; numbers != null && i < numbers.length; i++) {
      int fd = Integer.parseInt(numbers[i]);
      if (!inherited.descriptors().contains(fd)) {
        call(Nr.CLOSE, fd, 0, 0, 0);
      }
    }
  }

  private void execute(List<byte[]> command, List<byte[]> environment) {
    byte[] name = command.get(0);
    int failure = Errno.ENOENT;
    for (byte[] path : candidates(name, environment)) {
      int errno = tryExecute(path, command, environment);
      if (errno == ENOEXEC) {
        // A script without a first line that names its interpreter, as execvp(3) does it.
        List<byte[]> script = new ArrayList<>(List.of(SHELL, path));
        script.addAll(command.subList(1, command.size()));
        errno = tryExecute(SHELL, script, environment);
      }
      if (errno == 0) {
        return;
      }
      // What may not be executed in one folder may be there in the next.
      failure = errno == Errno.ENOENT || errno == ENOTDIR ? failure : errno;
      if (errno != Errno.ENOENT && errno != ENOTDIR && errno != Errno.EACCES) {
        break;
      }
    }
    throw new SyscallException("execve", failure, new String(name, StandardCharsets.UTF_8));
  }

  private static List<byte[]> candidates(byte[] name, List<byte[]> environment) {
    // A file name is bytes; each char here stands for one.
    String file = new String(name, StandardCharsets.ISO_8859_1);
    if (file.isEmpty() || file.contains("/")) {
      return List.of(name);
    }
    String path = DEFAULT_PATH;
    for (byte[] variable : environment) {
      String text = new String(variable, StandardCharsets.ISO_8859_1);
      if (text.startsWith("PATH=")) {
        path = text.substring("PATH=".length());
        break;
      }
    }
    List<byte[]> candidates = new ArrayList<>();
    for (String folder : path.split(":", -1)) {
      String full = folder.isEmpty() ? file : folder + "/" + file;
      candidates.add(full.getBytes(StandardCharsets.ISO_8859_1));
    }
    return candidates;
  }

  /** 0 if it is the command now, else why not. */
  private int tryExecute(byte[] path, List<byte[]> arguments, List<byte[]> environment) {
    long bytes = path.length + 1L;
    for (byte[] text : arguments) {
      bytes += text.length + 1L + Long.BYTES;
    }
    for (byte[] text : environment) {
      bytes += text.length + 1L + Long.BYTES;
    }
    int room = Math.toIntExact(bytes + 4 * Long.BYTES);
    RemoteAddress at = map(room);
    ByteBuffer image = ByteBuffer.allocate(room).order(ByteOrder.LITTLE_ENDIAN);
    // The two vectors first, the texts behind them.
    int vectors = (arguments.size() + environment.size() + 2) * Long.BYTES;
    image.position(vectors);
    for (int i = 0; i < arguments.size(); i++) {
      image.putLong(i * Long.BYTES, at.value() + image.position());
      image.put(arguments.get(i)).put((byte) 0);
    }
    int variables = (arguments.size() + 1) * Long.BYTES;
    for (int i = 0; i < environment.size(); i++) {
      image.putLong(variables + i * Long.BYTES, at.value() + image.position());
      image.put(environment.get(i)).put((byte) 0);
    }
    long program = at.value() + image.position();
    image.put(path).put((byte) 0);
    memory.write(at, image.array());
    Registers registers = new Registers();
    tracee.getRegisters(registers);
    registers.setCall(gadget.value(), EXECVE, program, at.value(), at.value() + variables, 0, 0, 0);
    tracee.setRegisters(registers);
    tracee.setSignalMask(inherited.blockedSignals());
    // The last step: from here on it executes the command by itself, should we die.
    tracee.setOptions(OPTIONS);
    int errno = awaitExecution(registers);
    if (errno != 0) {
      tracee.setOptions(STARTING);
      tracee.setSignalMask(~0L);
      call(Nr.MUNMAP, at.value(), room, 0, 0);
    }
    return errno;
  }

  private int awaitExecution(Registers registers) {
    int calls = 0;
    int signal = 0;
    while (true) {
      tracee.resume(Ptrace.SYSCALL, signal);
      int status = tracee.await();
      signal = 0;
      if (WaitStatus.event(status) == WaitStatus.EVENT_EXEC) {
        return 0;
      }
      if (WaitStatus.isSyscall(status)) {
        calls++;
        if (calls == 2) {
          tracee.getRegisters(registers);
          return (int) -registers.get(Registers.RAX);
        }
      } else if (WaitStatus.isSignal(status)) {
        signal = WaitStatus.signal(status);
      }
    }
  }

  private RemoteAddress map(int bytes) {
    // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS
    long length = (bytes + PAGE - 1L) & -PAGE;
    long mapped = OwnTask.plainCall(tracee, gadget, Nr.MMAP, 0, length, 3, 0x22, -1, 0);
    return new RemoteAddress(Sys.check("mmap", "room for a command line", mapped));
  }

  private void call(int number, long a, long b, long c, long d) {
    OwnTask.plainCall(tracee, gadget, number, a, b, c, d, 0, 0);
  }
}
