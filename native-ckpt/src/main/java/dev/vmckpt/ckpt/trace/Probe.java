// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Tries single features of the kernel on a throwaway child of ours, which is ended when this is
 * closed. Each method answers whether it worked, and never throws.
 */
public final class Probe implements AutoCloseable {
  /** CLONE_NEWTIME of include/uapi/linux/sched.h. */
  public static final long NEWTIME = 0x80;

  /** CLONE_NEWPID of include/uapi/linux/sched.h. */
  public static final long NEWPID = 0x20000000;

  /** KCMP_VM of kcmp(2): with itself a process shares its memory. */
  private static final int VM = 1;

  private static final int OPTIONS =
      Ptrace.O_TRACESYSGOOD | Ptrace.O_EXITKILL | Ptrace.O_TRACECLONE | Ptrace.O_TRACEFORK;
  private static final long PAGEMAP_SCAN = 0xC0606610L;
  private static final int CAP_SYS_PTRACE = 19;
  private static final int ARCH_MAP_VDSO_64 = 0x2003;

  private final int pid;
  private final NativeBuffer buffer = new NativeBuffer(256);
  private @Nullable Tracee tracee;
  private long gadget;

  /**
   * @param pid a child of ours that sleeps
   */
  public Probe(int pid) {
    this.pid = pid;
    try {
      Tracee found = Husk.stopped(pid);
      tracee = found;
      if (found != null) {
        gadget = vdsoSyscall();
      }
    } catch (VmckptException refused) {
      tracee = null;
    }
  }

  public boolean seized() {
    return tracee != null;
  }

  /** Whether processes that are not ours may be traced: CAP_SYS_PTRACE is in our effective set. */
  public boolean privileged() {
    buffer.bytes().putInt(0, 0x20080522).putInt(4, 0);
    return Sys.tryCall(125, buffer.address(), buffer.address() + 8, 0) == 0
        && (buffer.bytes().getInt(8) >>> CAP_SYS_PTRACE & 1) != 0;
  }

  public boolean suspendsSeccomp() {
    Tracee thread = tracee;
    return thread != null
        && Ptrace.tryRequest(Ptrace.SETOPTIONS, pid, 0, OPTIONS | Ptrace.O_SUSPEND_SECCOMP) == 0;
  }

  public boolean readsRseq() {
    return tracee != null
        && Ptrace.tryRequest(Ptrace.GET_RSEQ_CONFIGURATION, pid, 24, buffer.address()) > 0;
  }

  public boolean scansPagemap() {
    long fd = FileCalls.tryOpen("/proc/" + pid + "/pagemap", 0, 0);
    if (fd < 0) {
      return false;
    }
    for (int i = 0; i < 96; i += 8) {
      buffer.bytes().putLong(i, 0);
    }
    buffer.bytes().putLong(0, 96).putLong(16, 0x10000).putLong(24, 0x20000);
    long result = Sys.tryCall(Nr.IOCTL, fd, PAGEMAP_SCAN, buffer.address());
    Sys.tryCall(Nr.CLOSE, fd, 0, 0);
    return result >= 0;
  }

  public boolean readsMapFiles() {
    String[] names = new File("/proc/" + pid + "/map_files").list();
    if (names == null || names.length == 0) {
      return false;
    }
    long fd = FileCalls.tryOpen("/proc/" + pid + "/map_files/" + names[0], 0, 0);
    Sys.tryCall(Nr.CLOSE, fd, 0, 0);
    return fd >= 0;
  }

  public boolean duplicatesDescriptors() {
    long pidFd = FileCalls.tryPidFd(pid);
    if (pidFd < 0) {
      return false;
    }
    long copy;
    try (OwnFd process = new OwnFd(pidFd)) {
      copy = FileCalls.tryDuplicate(process, 0);
    }
    Sys.tryCall(Nr.CLOSE, copy, 0, 0);
    // The child may have no descriptor 0; that is an answer as well.
    return copy >= 0 || copy == -Errno.EBADF;
  }

  public boolean compares() {
    return FileCalls.tryCompare(pid, pid, VM, 0, 0) == 0;
  }

  /**
   * Whether a process can be given a number: tried with one that is taken, so that none is made.
   */
  public boolean choosesNumbers() {
    Tracee thread = tracee;
    if (thread == null || gadget == 0) {
      return false;
    }
    // The arguments lie below the stack pointer of a process that is ours to spoil.
    long place = (thread.stackPointer() - 1024) & -64;
    ByteBuffer arguments = ByteBuffer.allocate(96).order(ByteOrder.LITTLE_ENDIAN);
    arguments.putLong(64, place + 88).putLong(72, 1).putInt(88, pid);
    try (ProcessMemory memory = new ProcessMemory(pid)) {
      memory.write(new RemoteAddress(place), arguments.array());
      return call(Nr.CLONE3, place, 88) == -Errno.EEXIST;
    } catch (VmckptException e) {
      return false;
    }
  }

  /** Whether a namespace can be unshared. */
  public boolean unshares(long flag) {
    return call(Nr.UNSHARE, flag, 0) == 0;
  }

  /** Whether the kernel knows the call that maps a vDSO: it refuses a second one by name. */
  public boolean mapsVdso() {
    return call(Nr.ARCH_PRCTL, ARCH_MAP_VDSO_64, 0) == -Errno.EEXIST;
  }

  private long vdsoSyscall() {
    try (ProcessMemory memory = new ProcessMemory(pid)) {
      return VdsoCode.syscall(memory, VdsoCode.areas(pid)).value();
    }
  }

  private long call(int number, long a, long b) {
    Tracee thread = tracee;
    if (thread == null || gadget == 0) {
      return -Errno.EPERM;
    }
    return Husk.plainCall(thread, new RemoteAddress(gadget), number, a, b, 0, 0, 0, 0);
  }

  @Override
  public void close() {
    Sys.tryCall(Nr.KILL, pid, 9, 0);
    Sys.tryCall(Nr.WAIT4, pid, buffer.address(), 0x40000000);
  }
}
