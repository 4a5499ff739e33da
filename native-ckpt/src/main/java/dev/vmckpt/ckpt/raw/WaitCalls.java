// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.Nr;

/**
 * Waits for what this thread traces or started, without taking it.
 *
 * <p>A stop that was taken is forgotten by the kernel: should we die then, a signal that was about
 * to be delivered would be lost. One that was only looked at keeps it, and the kernel delivers it.
 *
 * <pre>
 * siginfo_t of SIGCHLD   0 signo   8 code   16 pid   24 status
 * </pre>
 */
public final class WaitCalls {
  private static final int WAITID = 247;
  private static final int P_ALL = 0;
  private static final int P_PID = 1;
  private static final int WNOHANG = 1;
  private static final int WSTOPPED = 2;
  private static final int WEXITED = 4;
  private static final int WNOWAIT = 0x1000000;
  private static final int WNOTHREAD = 0x20000000;
  private static final int WALL = 0x40000000;
  private static final int LOOK = WSTOPPED | WEXITED | WNOWAIT | WNOTHREAD | WALL;
  private static final int CLD_EXITED = 1;
  private static final int CLD_KILLED = 2;
  private static final int CLD_DUMPED = 3;
  private static final int SIGINFO_BYTES = 128;

  private final NativeBuffer info = new NativeBuffer(SIGINFO_BYTES);
  private final NativeBuffer word = new NativeBuffer(Long.BYTES);

  /**
   * Waits until any thread has stopped or ended.
   *
   * @return its number, or 0 if there is none left to wait for
   */
  public int awaitAny() {
    while (true) {
      long result = Sys.tryCall(WAITID, P_ALL, 0, info.address(), LOOK, 0, 0);
      if (result == -Errno.ECHILD) {
        return 0;
      }
      if (result != -Errno.EINTR) {
        Sys.check("waitid", "what is traced", result);
        return info.bytes().getInt(16);
      }
    }
  }

  /** Whether a thread has stopped or ended. */
  public boolean tryAwait(int tid) {
    info.bytes().putInt(16, 0);
    long result = Sys.tryCall(WAITID, P_PID, tid, info.address(), LOOK | WNOHANG, 0, 0);
    return result == 0 && info.bytes().getInt(16) == tid;
  }

  /** What happened, as wait4(2) would say it. */
  public int status() {
    int status = info.bytes().getInt(24);
    return switch (info.bytes().getInt(8)) {
      case CLD_EXITED -> (status & 0xff) << 8;
      case CLD_KILLED, CLD_DUMPED -> status & 0x7f;
      default -> status << 8 | 0x7f;
    };
  }

  /** Takes the end of a thread, which is gone then. */
  public void take(int tid) {
    Sys.tryCall(Nr.WAIT4, tid, word.address(), WALL | WNOHANG);
  }
}
