// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.proc.FdInfoParser;
import dev.vmckpt.ckpt.proc.KernelTasks;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.File;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a process holds behind its descriptors: which numbers share one open file description, which
 * are the two ends of one thing, who is connected with whom. Taken while the target runs, without
 * touching it; in the pause {@link #closedSince} says whether it still holds.
 *
 * <p>Sockets and pipes are looked at through duplicates of our own (pidfd_getfd(2)), which live for
 * microseconds.
 */
public final class Census implements AutoCloseable {
  /** What a descriptor of an event counter (eventfd(2)) points to. */
  public static final String EVENT_COUNTER = "anon_inode:[eventfd]";

  private static final long SAME = 0;
  private static final long LESS = 1;
  private static final long GREATER = 2;

  /** O_CLOEXEC, as fdinfo shows it. */
  private static final int CLOSE_ON_EXEC = 02000000;

  private final int pid;
  private final OwnFd pidFd;
  private final FdTable table;
  private final @Nullable UnixDiag unixDiag;
  private final SocketOptions socketOptions = new SocketOptions();
  private final List<FdTable.Entry> entries;
  private final List<int[]> comparisons = new ArrayList<>();
  private final List<DescriptorResource> descriptors;
  private final List<Refusal> refusals;
  private final Map<Long, PipeEnds> pipes = new HashMap<>();
  private final Map<Long, SocketFacts> sockets = new HashMap<>();
  private final Map<Integer, UnixFile> unixFiles = new HashMap<>();
  private final Backends backends;

  /** How many open file descriptions of the set can read from a pipe and write into it. */
  record PipeEnds(int readers, int writers, boolean packets) {
    boolean isWhole() {
      return readers > 0 && writers > 0;
    }
  }

  /** One number, before it is known whether it shares its open file description. */
  private record Held(int number, String link, FileStat stat, FdInfo info) {
    boolean closeOnExec() {
      return (info.flags() & CLOSE_ON_EXEC) != 0;
    }
  }

  private Census(int pid, OwnFd pidFd, FdTable table, @Nullable UnixDiag unixDiag) {
    this.pid = pid;
    this.pidFd = pidFd;
    this.table = table;
    this.unixDiag = unixDiag;
    backends = new Backends(pid, sockets);
    entries = table.read();
    descriptors = grouped(held());
    refusals = threadsOnTheirOwn();
    for (DescriptorResource resource : descriptors) {
      if (resource.stat().isSocket()) {
        addSocket(resource);
      } else if (resource.stat().isFifo()) {
        addPipeEnd(resource);
      }
    }
  }

  /**
   * Looks at a running process.
   *
   * @throws TargetGoneException if there is none
   * @throws NotPermittedException if we may not look at it
   */
  public static Census take(int pid) {
    FdTable table = new FdTable(pid);
    OwnFd pidFd = null;
    UnixDiag diag = null;
    try {
      pidFd = openPidFd(pid);
      diag = UnixDiag.tryOpen(pid, pidFd);
      return new Census(pid, pidFd, table, diag);
    } catch (RuntimeException e) {
      table.close();
      if (pidFd != null) {
        pidFd.close();
      }
      if (diag != null) {
        diag.close();
      }
      throw e;
    }
  }

  private static OwnFd openPidFd(int pid) {
    long fd = FileCalls.tryPidFd(pid);
    if (fd == -Errno.ESRCH) {
      throw new TargetGoneException("there is no process " + pid);
    }
    return new OwnFd(Sys.check("pidfd_open", "process " + pid, fd));
  }

  /** Every open file description, by its lowest number, ascending. */
  public List<DescriptorResource> descriptors() {
    return descriptors;
  }

  /** What cannot be carried of the table as a whole: threads that have one of their own. */
  public List<Refusal> refusals() {
    return refusals;
  }

  /**
   * What has changed since, if it is no more than event counters that were closed: nothing else
   * refers to one of those, so what was planned of all others holds. QEMU closes those of its
   * devices when it stops its guest. Cheap: stands in the pause.
   *
   * @return the numbers of those, usually none; null if anything else has changed
   */
  public @Nullable Set<Integer> closedSince(int pid) {
    if (pid != this.pid) {
      return null;
    }
    List<FdTable.Entry> now = table.read();
    Set<Integer> closed = new HashSet<>();
    int at = 0;
    for (int i = 0; i < entries.size(); i++) {
      if (at < now.size() && now.get(at).equals(entries.get(i))) {
        at++;
      } else if (entries.get(i).link().equals(EVENT_COUNTER)) {
        closed.add(entries.get(i).number());
      } else {
        return null;
      }
    }
    return at == now.size() && isGroupedAsBefore(closed) ? closed : null;
  }

  private boolean isGroupedAsBefore(Set<Integer> closed) {
    for (int[] comparison : comparisons) {
      if (!closed.contains(comparison[0])
          && !closed.contains(comparison[1])
          && compare(comparison[0], comparison[1]) != comparison[2]) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    table.close();
    pidFd.close();
    if (unixDiag != null) {
      unixDiag.close();
    }
  }

  // What the objects ask.

  /** A descriptor of ours for the same open file description. */
  OwnFd duplicate(DescriptorResource resource) {
    long fd = FileCalls.tryDuplicate(pidFd, resource.fd().number());
    if (fd == -Errno.EPERM) {
      throw new NotPermittedException(
          "the descriptors of "
              + pid
              + " may not be duplicated: run as its owner or with CAP_SYS_PTRACE");
    }
    if (fd == -Errno.ESRCH) {
      throw new TargetGoneException("process " + pid + " ended");
    }
    return new OwnFd(Sys.check("pidfd_getfd", resource.name(), fd));
  }

  /** The ends of a pipe that the set holds. */
  PipeEnds pipe(DescriptorResource resource) {
    PipeEnds ends = pipes.get(resource.stat().inode());
    return ends == null ? new PipeEnds(0, 0, false) : ends;
  }

  /** What is known of a socket; null when it could not be looked at. */
  @Nullable SocketFacts socket(DescriptorResource resource) {
    return sockets.get(resource.stat().inode());
  }

  /** How a socket stands to others. */
  SocketFacts.Role role(DescriptorResource resource) {
    SocketFacts facts = socket(resource);
    return facts == null ? SocketFacts.Role.STRANGE : role(resource.stat().inode(), facts);
  }

  /**
   * Looks at a socket again, in the pause.
   *
   * @throws ObjectChangedException if it stands otherwise to others than it did
   */
  SocketFacts socketNow(DescriptorResource resource, OwnFd duplicate) {
    long inode = resource.stat().inode();
    SocketFacts before = sockets.get(inode);
    SocketFacts now = SocketFacts.of(duplicate, inode, unixDiag);
    if (before == null
        || role(inode, now) != role(inode, before)
        || now.listening() != before.listening()) {
      throw new ObjectChangedException(resource.name(), "the socket was connected or bound");
    }
    return now;
  }

  /** The file a UNIX socket is bound to; null when it has none, or it was removed. */
  @Nullable UnixFile unixFile(DescriptorResource resource) {
    return unixFiles.get(resource.fd().number());
  }

  /** Who of those outside serves a device of the target. */
  Backends backends() {
    return backends;
  }

  SocketOptions socketOptions() {
    return socketOptions;
  }

  /** The number that both ends of a pair have in an image. */
  static long pairNumber(long inode, SocketFacts facts) {
    return facts.unix() == null ? inode : Math.min(inode, facts.unix().peer());
  }

  private SocketFacts.Role role(long inode, SocketFacts facts) {
    if (facts.isTcp()) {
      return facts.tcp().isConnection() ? SocketFacts.Role.LOST : SocketFacts.Role.PEERLESS;
    }
    if (facts.isDatagram()) {
      return SocketFacts.Role.PEERLESS;
    }
    if (!facts.isUnix()) {
      return SocketFacts.Role.STRANGE;
    }
    UnixDiag.Entry unix = facts.unix();
    if (unix == null) {
      return SocketFacts.Role.UNKNOWN;
    }
    if (!unix.hasPeer()) {
      return SocketFacts.Role.PEERLESS;
    }
    SocketFacts peer = unix.peer() == 0 ? null : sockets.get(unix.peer());
    if (peer == null || peer.unix() == null) {
      return SocketFacts.Role.LOST;
    }
    return peer.unix().peer() == inode && unix.peer() != inode
        ? SocketFacts.Role.PAIR
        : SocketFacts.Role.LOPSIDED;
  }

  private List<Held> held() {
    List<Held> held = new ArrayList<>();
    for (FdTable.Entry entry : entries) {
      FileStat stat = FileCalls.stat("/proc/" + pid + "/fd/" + entry.number());
      FdInfo info = tryInfo(entry.number());
      // One that was closed meanwhile is none of ours; closedSince() will say that the table is
      // another one.
      if (stat != null && info != null) {
        held.add(new Held(entry.number(), entry.link(), stat, info));
      }
    }
    return held;
  }

  private @Nullable FdInfo tryInfo(int number) {
    try {
      return FdInfoParser.parse(ProcFs.read(ProcFs.of(pid, "fdinfo/" + number)));
    } catch (TargetGoneException e) {
      return null;
    }
  }

  /** Only what has the same inode and name can be the same: all others need not be compared. */
  private List<DescriptorResource> grouped(List<Held> held) {
    Map<String, List<List<Held>>> candidates = new LinkedHashMap<>();
    for (Held one : held) {
      String key = one.stat().device() + " " + one.stat().inode() + " " + one.link();
      List<List<Held>> classes = candidates.get(key);
      if (classes == null) {
        classes = new ArrayList<>();
        candidates.put(key, classes);
      }
      insert(classes, one);
    }
    List<DescriptorResource> resources = new ArrayList<>();
    for (List<List<Held>> classes : candidates.values()) {
      for (int i = 0; i < classes.size(); i++) {
        List<Held> same = classes.get(i);
        resources.add(resource(same));
        for (int j = 1; j < same.size(); j++) {
          comparisons.add(new int[] {same.get(0).number(), same.get(j).number(), (int) SAME});
        }
        if (i > 0) {
          int before = classes.get(i - 1).get(0).number();
          comparisons.add(new int[] {before, same.get(0).number(), (int) LESS});
        }
      }
    }
    resources.sort(Comparator.comparing(DescriptorResource::fd));
    return List.copyOf(resources);
  }

  /** Puts a descriptor into classes that stand in the kernel's own order. */
  private void insert(List<List<Held>> classes, Held one) {
    int low = 0;
    int high = classes.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      long order = compare(one.number(), classes.get(middle).get(0).number());
      if (order == SAME) {
        classes.get(middle).add(one);
        return;
      }
      if (order == LESS) {
        high = middle;
      } else if (order == GREATER) {
        low = middle + 1;
      } else if (order == -Errno.EBADF) {
        return; // closed meanwhile
      } else {
        Sys.check("kcmp", "fd:" + one.number(), order);
        throw new IllegalStateException("kcmp gives no order: " + order);
      }
    }
    List<Held> alone = new ArrayList<>();
    alone.add(one);
    classes.add(low, alone);
  }

  private long compare(int a, int b) {
    return FileCalls.tryCompare(pid, pid, FileCalls.KCMP_FILE, a, b);
  }

  private DescriptorResource resource(List<Held> same) {
    List<RemoteFd> numbers = new ArrayList<>();
    List<Boolean> closeOnExec = new ArrayList<>();
    for (Held one : same) {
      numbers.add(new RemoteFd(one.number()));
      closeOnExec.add(one.closeOnExec());
    }
    Held first = same.get(0);
    return new DescriptorResource(
        pid,
        List.copyOf(numbers),
        List.copyOf(closeOnExec),
        first.link(),
        first.stat(),
        first.info());
  }

  private List<Refusal> threadsOnTheirOwn() {
    List<Refusal> found = new ArrayList<>();
    String[] threads = new File("/proc/" + pid + "/task").list();
    if (threads == null) {
      return found;
    }
    for (String thread : threads) {
      int tid = Integer.parseInt(thread);
      if (FileCalls.tryCompare(pid, tid, FileCalls.KCMP_FILES, 0, 0) > 0
          && !KernelTasks.isWorker(pid, tid)) {
        found.add(
            new Refusal(
                "thread " + tid,
                "it has a descriptor table of its own",
                "save the target when that thread has ended"));
      }
    }
    return List.copyOf(found);
  }

  private void addPipeEnd(DescriptorResource resource) {
    PipeEnds known = pipe(resource);
    boolean writes = !resource.info().readOnly();
    boolean reads = !resource.info().writeOnly();
    boolean packets = writes && (resource.info().flags() & Pipe.O_DIRECT) != 0;
    pipes.put(
        resource.stat().inode(),
        new PipeEnds(
            known.readers() + (reads ? 1 : 0),
            known.writers() + (writes ? 1 : 0),
            known.packets() || packets));
  }

  private void addSocket(DescriptorResource resource) {
    long fd = FileCalls.tryDuplicate(pidFd, resource.fd().number());
    if (fd == -Errno.EBADF) {
      return; // closed meanwhile
    }
    if (fd < 0) {
      duplicate(resource).close(); // says why not
      return;
    }
    try (OwnFd duplicate = new OwnFd(fd)) {
      SocketFacts facts = SocketFacts.of(duplicate, resource.stat().inode(), unixDiag);
      sockets.put(resource.stat().inode(), facts);
      if (facts.isUnix() || facts.isTcp() || facts.isDatagram()) {
        socketOptions.learn(facts);
      }
      UnixFile file = facts.isUnix() ? UnixFile.tryFind(pid, facts) : null;
      if (file != null) {
        unixFiles.put(resource.fd().number(), file);
      }
    }
  }
}
