// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Spawn;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * A throwaway process that holds one of everything a virtual machine usually holds: what a snapshot
 * of it has run through, a snapshot of the target does not run for the first time.
 */
public final class Understudy implements AutoCloseable {
  private static final String PROGRAM = "/bin/sleep";
  private static final int O_WRONLY_APPEND = 02001;
  private static final int O_RDWR = 2;
  private static final int DISK_BYTES = 1 << 16;
  private static final int SOCKADDR_BYTES = 110;
  private static final int SIGNAL_SET_BYTES = 8;
  private static final int EPOLL_CTL_ADD = 1;

  private static final long START_NANOS = 1_000_000_000;
  private static final long POLL_NANOS = 200_000;

  private final int pid;

  private Understudy(int pid) {
    this.pid = pid;
  }

  /**
   * Starts one.
   *
   * @param folder an existing folder for its files
   * @param seconds after which it ends by itself, should we die before we can end it
   */
  public static Understudy start(Path folder, int seconds) throws IOException {
    List<OwnFd> held = new ArrayList<>();
    try {
      Files.write(folder.resolve("log"), new byte[1]);
      Files.write(folder.resolve("disk"), new byte[DISK_BYTES]);
      held.add(FileCalls.open("/dev/null", O_RDWR, 0));
      held.add(FileCalls.open(folder.resolve("log").toString(), O_WRONLY_APPEND, 0));
      held.add(FileCalls.open(folder.resolve("disk").toString(), O_RDWR, 0));
      hold(held, "eventfd2", Nr.EVENTFD2, 1, 0, 0);
      holdEpoll(held);
      NativeBuffer zeros = new NativeBuffer(SOCKADDR_BYTES);
      hold(held, "timerfd_create", Nr.TIMERFD_CREATE, 1, 0, 0);
      hold(held, "signalfd4", Nr.SIGNALFD4, -1, zeros.address(), SIGNAL_SET_BYTES);
      holdPipe(held, zeros);
      holdSockets(held, folder, zeros);
      for (OwnFd fd : held) {
        // Inherited only without FD_CLOEXEC (F_SETFD 2).
        Sys.tryCall(Nr.FCNTL, fd.number(), 2, 0);
      }
      Understudy started = new Understudy(Spawn.start(PROGRAM, Integer.toString(seconds)));
      started.awaitSleep();
      return started;
    } finally {
      for (OwnFd fd : held) {
        fd.close();
      }
    }
  }

  /** Until its libraries are there and it sleeps; a moment at most. */
  private void awaitSleep() {
    String sleeping = Nr.CLOCK_NANOSLEEP + " ";
    long deadline = System.nanoTime() + START_NANOS;
    try {
      while (!ProcFs.read(ProcFs.of(pid, "syscall")).startsWith(sleeping)
          && System.nanoTime() < deadline) {
        LockSupport.parkNanos(POLL_NANOS);
      }
    } catch (VmckptException e) {
      // It cannot be looked at: then it has to be ready by luck.
    }
  }

  private static void holdEpoll(List<OwnFd> held) {
    OwnFd watched = held.get(held.size() - 1);
    OwnFd epoll = hold(held, "epoll_create1", Nr.EPOLL_CREATE1, 0, 0, 0);
    NativeBuffer event = new NativeBuffer(16);
    Sys.tryCall(
        Nr.EPOLL_CTL, epoll.number(), EPOLL_CTL_ADD, watched.number(), event.address(), 0, 0);
  }

  private static void holdPipe(List<OwnFd> held, NativeBuffer zeros) {
    OwnFd[] pipe = FileCalls.pipe(0);
    held.add(pipe[0]);
    held.add(pipe[1]);
    FileCalls.tryWrite(pipe[1].number(), zeros, 1);
  }

  private static void holdSockets(List<OwnFd> held, Path folder, NativeBuffer zeros) {
    holdPair(held, true);
    SocketCalls.trySend(held.get(held.size() - 1).number(), zeros, 0, 1, 0);
    // A peer that hung up: its end is not kept.
    holdPair(held, false);
    hold(held, "socket", Nr.SOCKET, SocketCalls.AF_INET, SocketCalls.SOCK_STREAM, 0);
    OwnFd listener =
        hold(held, "socket", Nr.SOCKET, SocketCalls.AF_UNIX, SocketCalls.SOCK_STREAM, 0);
    byte[] path =
        folder.resolve("socket").toString().getBytes(java.nio.charset.StandardCharsets.UTF_8);
    if (path.length < SOCKADDR_BYTES - 3) {
      NativeBuffer address = new NativeBuffer(SOCKADDR_BYTES);
      address.bytes().putShort(0, (short) SocketCalls.AF_UNIX).put(2, path);
      Sys.tryCall(Nr.BIND, listener.number(), address.address(), 2 + path.length + 1);
      Sys.tryCall(Nr.LISTEN, listener.number(), 1, 0);
    }
  }

  private static void holdPair(List<OwnFd> held, boolean both) {
    NativeBuffer two = new NativeBuffer(8);
    Sys.call(
        "socketpair",
        "a rehearsal",
        Nr.SOCKETPAIR,
        SocketCalls.AF_UNIX,
        SocketCalls.SOCK_STREAM,
        0,
        two.address(),
        0,
        0);
    held.add(new OwnFd(two.bytes().getInt(0)));
    if (both) {
      held.add(new OwnFd(two.bytes().getInt(4)));
    } else {
      Sys.tryCall(Nr.CLOSE, two.bytes().getInt(4), 0, 0);
    }
  }

  private static OwnFd hold(List<OwnFd> held, String call, int number, long a, long b, long c) {
    OwnFd fd = new OwnFd(Sys.call(call, "a rehearsal", number, a, b, c));
    held.add(fd);
    return fd;
  }

  /** Its process id. */
  public int pid() {
    return pid;
  }

  /** Ends it. */
  @Override
  public void close() {
    Sys.tryCall(Nr.KILL, pid, 9, 0);
    NativeBuffer status = new NativeBuffer(8);
    Sys.tryCall(Nr.WAIT4, pid, status.address(), 0);
  }
}
