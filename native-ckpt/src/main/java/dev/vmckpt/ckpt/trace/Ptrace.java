// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.Nr;

/** The requests of ptrace(2), include/uapi/linux/ptrace.h. */
final class Ptrace {
  static final int CONT = 7;
  static final int GETREGS = 12;
  static final int SETREGS = 13;
  static final int DETACH = 17;
  static final int SYSCALL = 24;
  static final int SETOPTIONS = 0x4200;
  static final int GETEVENTMSG = 0x4201;
  static final int GETREGSET = 0x4204;
  static final int SETREGSET = 0x4205;
  static final int SEIZE = 0x4206;
  static final int INTERRUPT = 0x4207;
  static final int PEEKSIGINFO = 0x4209;
  static final int GETSIGMASK = 0x420a;
  static final int SETSIGMASK = 0x420b;
  static final int SECCOMP_GET_FILTER = 0x420c;
  static final int SECCOMP_GET_METADATA = 0x420d;
  static final int LISTEN = 0x4208;
  static final int GET_SYSCALL_INFO = 0x420e;
  static final int GET_RSEQ_CONFIGURATION = 0x420f;

  static final int O_TRACESYSGOOD = 1;
  static final int O_TRACEFORK = 2;
  static final int O_TRACEVFORK = 4;
  static final int O_TRACECLONE = 8;
  static final int O_TRACEEXEC = 16;
  static final int O_EXITKILL = 1 << 20;
  static final int O_SUSPEND_SECCOMP = 1 << 21;

  private Ptrace() {}

  /** A request that may fail; minus the errno then. */
  static long tryRequest(int request, int tid, long address, long data) {
    return Sys.tryCall(Nr.PTRACE, request, tid, address, data, 0, 0);
  }

  /**
   * A request that must succeed.
   *
   * @throws TargetGoneException if the thread is no longer there or no longer stopped
   */
  static long request(String name, int request, int tid, long address, long data) {
    long result = tryRequest(request, tid, address, data);
    if (result == -Errno.ESRCH) {
      throw new TargetGoneException("thread " + tid + " went away (" + name + ")");
    }
    if (result < 0 && result >= -4095) {
      throw new SyscallException(name, (int) -result, "thread " + tid);
    }
    return result;
  }
}
