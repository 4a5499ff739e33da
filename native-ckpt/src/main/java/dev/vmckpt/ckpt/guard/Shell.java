// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.guard;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.remote.Nr;
import java.nio.charset.StandardCharsets;

/**
 * A shell of ours in a session of its own, at the end of a pipe: when we die the pipe ends, and it
 * does what it was last told. It is there from the beginning, as a process cannot be started after
 * one's death.
 */
final class Shell implements AutoCloseable {
  /** The number of the pipe there; the others follow it. */
  private static final int FIRST = 3;

  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int ABOVE = 10;
  private static final int WALL = 0x40000000;

  private final OwnFd pipe;
  private final int pid;

  private Shell(OwnFd pipe, int pid) {
    this.pipe = pipe;
    this.pid = pid;
  }

  /**
   * Starts one.
   *
   * @param script reads lines from descriptor 3 until its end
   * @param others descriptors of ours that it gets from 4 on; they stay ours
   */
  static Shell start(String script, OwnFd... others) {
    OwnFd[] pipe = FileCalls.pipe(0);
    OwnFd[] given = new OwnFd[others.length + 1];
    try {
      int[] numbers = new int[given.length];
      for (int i = 0; i < given.length; i++) {
        given[i] = above(i == 0 ? pipe[0] : others[i - 1]);
        numbers[i] = given[i].number();
      }
      return new Shell(pipe[1], Spawn.startWith(numbers, FIRST, "/bin/sh", "-c", script));
    } catch (RuntimeException e) {
      pipe[1].close();
      throw e;
    } finally {
      pipe[0].close();
      for (OwnFd each : given) {
        if (each != null) {
          each.close();
        }
      }
    }
  }

  /** A duplicate with a number that none over there is. */
  private static OwnFd above(OwnFd fd) {
    return new OwnFd(
        Sys.check(
            "fcntl(F_DUPFD)",
            "fd " + fd.number(),
            FileCalls.tryFcntl(fd.number(), F_DUPFD_CLOEXEC, ABOVE)));
  }

  /** Tells it something; lines with their ends, at most 4 KiB, so that it hears all or nothing. */
  void tell(String lines) {
    byte[] all = lines.getBytes(StandardCharsets.UTF_8);
    NativeBuffer from = NativeBuffer.ofBytes(all);
    Sys.check("write", "the guard", FileCalls.tryWrite(pipe.number(), from, all.length));
  }

  /** Lets it end. */
  @Override
  public void close() {
    pipe.close();
    NativeBuffer status = new NativeBuffer(Long.BYTES);
    Sys.tryCall(Nr.WAIT4, pid, status.address(), WALL);
  }
}
