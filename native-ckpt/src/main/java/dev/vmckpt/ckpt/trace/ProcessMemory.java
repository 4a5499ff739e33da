// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * The memory of another process, through {@code /proc/PID/mem}: it reads and writes whatever the
 * protection of a page is, and unlike process_vm_readv(2) it does not pin, so pages stay shared
 * with a parent.
 */
public final class ProcessMemory implements AutoCloseable {
  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 02000000;
  private static final int AT_FDCWD = -100;

  private final int pid;
  private final int fd;
  private NativeBuffer bounce = new NativeBuffer(1 << 16);

  /**
   * @throws TargetGoneException if there is no such process
   * @throws SyscallException if it may not be traced
   */
  public ProcessMemory(int pid) {
    this.pid = pid;
    NativeBuffer path = NativeBuffer.ofText("/proc/" + pid + "/mem");
    long result = Sys.tryCall(Nr.OPENAT, AT_FDCWD, path.address(), O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (result == -Errno.ENOENT || result == -Errno.ESRCH) {
      throw new TargetGoneException("there is no process " + pid);
    }
    fd = (int) Sys.check("open", "/proc/" + pid + "/mem", result);
  }

  /** Reads into memory of ours; returns how many bytes were there, or minus the errno. */
  public long tryRead(long address, long into, long length) {
    return Sys.tryCall(Nr.PREAD64, fd, into, length, address, 0, 0);
  }

  /**
   * Reads all of it.
   *
   * @throws SyscallException if a part is not mapped
   */
  public byte[] read(RemoteAddress from, int length) {
    NativeBuffer buffer = buffer(length);
    int done = 0;
    while (done < length) {
      long got = tryRead(from.value() + done, buffer.address() + done, length - done);
      if (got <= 0) {
        throw failed("read", got, from.plus(done));
      }
      done += (int) got;
    }
    return buffer.copy(0, length);
  }

  /**
   * Writes all of it.
   *
   * @throws SyscallException if a part is not mapped
   */
  public void write(RemoteAddress to, byte[] bytes) {
    NativeBuffer buffer = buffer(bytes.length);
    buffer.bytes().put(0, bytes);
    write(to, buffer.address(), bytes.length);
  }

  /** Writes memory of ours. */
  void write(RemoteAddress to, long from, int length) {
    int done = 0;
    while (done < length) {
      long put = Sys.tryCall(Nr.PWRITE64, fd, from + done, length - done, to.value() + done, 0, 0);
      if (put <= 0) {
        throw failed("write", put, to.plus(done));
      }
      done += (int) put;
    }
  }

  private RuntimeException failed(String what, long result, RemoteAddress where) {
    if (result == 0 || result == -Errno.ESRCH) {
      // After an execve(2) nobody uses the memory that was opened, and it reads as empty.
      return new TargetGoneException("process " + pid + " went away, or became another program");
    }
    return new SyscallException(what, (int) -result, "the memory of " + pid + " at " + where);
  }

  private NativeBuffer buffer(int length) {
    if (bounce.size() < length) {
      bounce = new NativeBuffer(length);
    }
    return bounce;
  }

  @Override
  public void close() {
    Sys.tryCall(Nr.CLOSE, fd, 0, 0);
  }
}
