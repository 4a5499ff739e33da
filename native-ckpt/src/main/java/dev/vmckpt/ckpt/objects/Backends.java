// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.Peer;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.VmckptException;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Finds, among those whom a target is connected with, the ones that serve a device of its guest: a
 * vhost-user backend, virtiofsd, swtpm. To such a connection a hang-up is not what it is to a
 * client of a monitor: the other end has state that belongs to the guest, and no snapshot of the
 * target holds it.
 *
 * <p>They are known by what they were given: memory of the target that they map as well, event
 * counters that are the target's, or the other end of a pair of sockets without a name, by a target
 * that had called them by theirs.
 */
final class Backends {
  private static final String COUNTER = "anon_inode:[eventfd]";

  private final int pid;
  private final Map<Long, SocketFacts> sockets;
  private final Map<Long, Integer> holders = new HashMap<>();
  private @Nullable Set<Integer> found;
  private @Nullable Set<Integer> sharing;

  /**
   * @param sockets all of the target, by their inodes
   */
  Backends(int pid, Map<Long, SocketFacts> sockets) {
    this.pid = pid;
    this.sockets = sockets;
  }

  /** Who is at the other end of a connection, if they are such a one. */
  @Nullable Peer at(SocketFacts socket) {
    Set<Integer> backends = found;
    if (backends == null) {
      backends = find();
      found = backends;
    }
    return backends.contains(holder(socket)) ? peer(socket) : null;
  }

  /** Who is at the other end of a connection; null if nobody is found there. */
  @Nullable Peer peer(SocketFacts socket) {
    int peer = holder(socket);
    if (peer == 0) {
      return null;
    }
    byte[] address = socket.peer();
    String path = address == null ? "" : SocketAddress.text(address);
    String folder = FileCalls.readLink("/proc/" + peer + "/cwd");
    if (!path.isEmpty() && !path.startsWith("/") && !path.startsWith("@") && folder != null) {
      path = Path.of(folder).resolve(path).toString();
    }
    return new Peer(peer, name(peer), path, sharing().contains(peer));
  }

  private Set<Integer> find() {
    Set<Integer> called = new HashSet<>();
    Set<Integer> given = new HashSet<>();
    for (SocketFacts socket : sockets.values()) {
      int peer = holder(socket);
      if (peer == 0) {
        continue;
      }
      boolean named = socket.peer() != null && !SocketAddress.isUnbound(socket.peer());
      if (named) {
        called.add(peer);
      } else if (SocketAddress.isUnbound(socket.local())) {
        given.add(peer);
      }
    }
    Set<Integer> backends = new HashSet<>(called);
    backends.retainAll(given);
    backends.addAll(sharing());
    return backends;
  }

  /** Those outside who map memory that the target shares, or hold event counters of it. */
  private Set<Integer> sharing() {
    Set<Integer> known = sharing;
    if (known != null) {
      return known;
    }
    Set<Integer> found = new HashSet<>();
    Set<Integer> all = new TreeSet<>();
    for (SocketFacts socket : sockets.values()) {
      all.add(holder(socket));
    }
    all.remove(0);
    if (!all.isEmpty()) {
      Set<String> shared = sharedMappings(pid);
      List<Integer> counters = counters(pid);
      for (int peer : all) {
        Set<String> theirs = sharedMappings(peer);
        theirs.retainAll(shared);
        if (!theirs.isEmpty() || sharesCounter(counters, peer)) {
          found.add(peer);
        }
      }
    }
    sharing = found;
    return found;
  }

  /** The process outside that holds the other end of a UNIX connection; 0 if that is not known. */
  private int holder(SocketFacts socket) {
    UnixDiag.Entry unix = socket.unix();
    if (unix == null || !unix.hasPeer() || unix.peer() == 0 || sockets.containsKey(unix.peer())) {
      return 0;
    }
    Integer known = holders.get(unix.peer());
    if (known == null) {
      known = findHolder("socket:[" + unix.peer() + "]", socket.peerPid());
      holders.put(unix.peer(), known);
    }
    return known;
  }

  private int findHolder(String link, int likely) {
    if (likely != 0 && likely != pid && holds(likely, link)) {
      return likely;
    }
    String[] names = new File("/proc").list();
    for (String name : names == null ? new String[0] : names) {
      if (Character.isDigit(name.charAt(0))) {
        int process = Integer.parseInt(name);
        if (process != pid && holds(process, link)) {
          return process;
        }
      }
    }
    return 0;
  }

  private static boolean holds(int process, String link) {
    String folder = "/proc/" + process + "/fd";
    String[] numbers = new File(folder).list();
    for (String number : numbers == null ? new String[0] : numbers) {
      if (link.equals(FileCalls.readLink(folder + "/" + number))) {
        return true;
      }
    }
    return false;
  }

  private static List<Integer> counters(int process) {
    List<Integer> numbers = new ArrayList<>();
    String folder = "/proc/" + process + "/fd";
    String[] names = new File(folder).list();
    for (String name : names == null ? new String[0] : names) {
      if (COUNTER.equals(FileCalls.readLink(folder + "/" + name))) {
        numbers.add(Integer.parseInt(name));
      }
    }
    return numbers;
  }

  private boolean sharesCounter(List<Integer> ours, int peer) {
    for (int theirs : counters(peer)) {
      for (int own : ours) {
        if (FileCalls.tryCompare(pid, peer, FileCalls.KCMP_FILE, own, theirs) == 0) {
          return true;
        }
      }
    }
    return false;
  }

  /** Device and inode of everything a process maps to be shared; empty if we may not look. */
  private static Set<String> sharedMappings(int process) {
    Set<String> shared = new HashSet<>();
    try {
      for (String line : ProcFs.read(ProcFs.of(process, "maps")).split("\n", -1)) {
        // 7f00-7f01 rw-s 00000000 00:01 1234   /memfd:x (deleted)
        String[] words = line.split(" +", 6);
        if (words.length >= 5 && words[1].endsWith("s") && !words[4].equals("0")) {
          shared.add(words[3] + " " + words[4]);
        }
      }
    } catch (VmckptException e) {
      return new HashSet<>();
    }
    return shared;
  }

  private static String name(int process) {
    try {
      return ProcFs.read(ProcFs.of(process, "comm")).strip();
    } catch (TargetGoneException e) {
      return "somebody";
    }
  }
}
