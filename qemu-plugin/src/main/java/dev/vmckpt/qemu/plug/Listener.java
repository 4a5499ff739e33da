// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.spi.proc.UnixSocketLine;
import java.util.concurrent.locks.LockSupport;

/**
 * Whether somebody waits to be called at a UNIX socket. To call is no way to find out: a back end
 * takes one call, and may end with it. QEMU, told to call one that is not there again and again,
 * does nothing else, and its guest with it.
 */
final class Listener {
  /** A back end that is started anew for every call needs a moment. */
  private static final long PATIENCE_NANOS = 3_000_000_000L;

  private static final long LOOK_AGAIN_NANOS = 20_000_000L;

  private Listener() {}

  /**
   * Looks for one.
   *
   * @param pid who would call
   * @param path as it is written on its command line
   */
  static boolean isThere(int pid, String path) {
    String wanted = CommandLine.directoryOf(pid).resolve(path).toString();
    for (UnixSocketLine socket : UnixSocketLine.seenBy(pid)) {
      // It is told as its owner has bound it, who may have done so from another folder.
      String bound = socket.path();
      if (socket.listening()
          && (bound.equals(wanted) || (!bound.startsWith("/") && wanted.endsWith("/" + bound)))) {
        return true;
      }
    }
    return false;
  }

  /** The same, for a moment if there is none. */
  static boolean comes(int pid, String path) {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (!isThere(pid, path)) {
      if (System.nanoTime() > deadline) {
        return false;
      }
      LockSupport.parkNanos(LOOK_AGAIN_NANOS);
    }
    return true;
  }
}
