// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.proc.FdInfoParser;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.SocketCalls;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Captures one object of every kind that a virtual machine usually holds, made for the purpose in
 * our own process: what runs in the pause has then run before.
 */
public final class ObjectsRehearsal {
  private static final int SIGNALS_BYTES = 8;

  private ObjectsRehearsal() {}

  /**
   * Rehearses once; leaves nothing behind but what {@code folder} gets.
   *
   * @param folder a folder that is thrown away
   */
  public static void run(Path folder) {
    List<OwnFd> made = new ArrayList<>();
    try {
      make(made);
      capture(made, folder);
    } finally {
      for (OwnFd fd : made) {
        fd.close();
      }
    }
  }

  private static void make(List<OwnFd> made) {
    NativeBuffer zeros = new NativeBuffer(64);
    int close = FileCalls.O_CLOEXEC;
    made.add(FileCalls.open("/dev/null", 0, 0));
    add(made, "eventfd2", Nr.EVENTFD2, 1, close, 0, 0);
    add(made, "timerfd_create", Nr.TIMERFD_CREATE, 1, close, 0, 0);
    add(made, "signalfd4", Nr.SIGNALFD4, -1, zeros.address(), SIGNALS_BYTES, close);
    OwnFd watched = made.get(1);
    OwnFd epoll = add(made, "epoll_create1", Nr.EPOLL_CREATE1, close, 0, 0, 0);
    Sys.tryCall(Nr.EPOLL_CTL, epoll.number(), 1, watched.number(), zeros.address(), 0, 0);
    OwnFd[] pipe = FileCalls.pipe(0);
    made.add(pipe[0]);
    made.add(pipe[1]);
    FileCalls.tryWrite(pipe[1].number(), zeros, 1);
    NativeBuffer two = new NativeBuffer(8);
    Sys.call(
        "socketpair",
        "a rehearsal",
        Nr.SOCKETPAIR,
        SocketCalls.AF_UNIX,
        SocketCalls.SOCK_STREAM | close,
        0,
        two.address(),
        0,
        0);
    made.add(new OwnFd(two.bytes().getInt(0)));
    made.add(new OwnFd(two.bytes().getInt(4)));
    SocketCalls.trySend(two.bytes().getInt(0), zeros, 0, 1, 0);
    add(made, "socket", Nr.SOCKET, SocketCalls.AF_INET, SocketCalls.SOCK_STREAM | close, 0, 0);
    add(made, "socket", Nr.SOCKET, SocketCalls.AF_UNIX, SocketCalls.SOCK_STREAM | close, 0, 0);
    // A peer that hung up: one end of a pair is not kept.
    Sys.call(
        "socketpair",
        "a rehearsal",
        Nr.SOCKETPAIR,
        SocketCalls.AF_UNIX,
        SocketCalls.SOCK_STREAM | close,
        0,
        two.address(),
        0,
        0);
    made.add(new OwnFd(two.bytes().getInt(0)));
    Sys.tryCall(Nr.CLOSE, two.bytes().getInt(4), 0, 0);
  }

  private static OwnFd add(
      List<OwnFd> made, String call, int number, long a, long b, long c, long d) {
    OwnFd fd = new OwnFd(Sys.call(call, "a rehearsal", number, a, b, c, d, 0, 0));
    made.add(fd);
    return fd;
  }

  private static void capture(List<OwnFd> made, Path folder) {
    int pid = (int) ProcessHandle.current().pid();
    Set<RemoteFd> numbers = new HashSet<>();
    for (OwnFd fd : made) {
      numbers.add(new RemoteFd(fd.number()));
    }
    try (Census census = Census.take(pid)) {
      CaptureContext context = new CaptureContext(census, folder, new ArrayList<>());
      census.unchanged(pid);
      for (DescriptorResource resource : census.descriptors()) {
        if (!numbers.contains(resource.fd())) {
          continue;
        }
        Optional<Recognised> recognised = KernelObjects.recognise(resource, census);
        if (recognised.isPresent() && recognised.get().claim().refusal() == null) {
          KernelObjects.capture(
              recognised.get(),
              resource,
              FdInfoParser.parse(ProcFs.read(ProcFs.of(pid, "fdinfo/" + resource.fd().number()))),
              context);
        }
      }
    }
  }
}
