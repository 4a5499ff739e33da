// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.proc.UnixSocketLine;
import dev.vmckpt.spi.remote.Nr;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** Finds processes by what they are called and by what they use. */
public final class Processes {
  private static final int SIGKILL = 9;
  private static final int SIGTERM = 15;
  private static final long END_NANOS = 10_000_000_000L;
  private static final long POLL_NANOS = 500_000;
  private static final int WALL = 0x40000000;
  private static final int SIGNAL_MASK = 0x7f;

  private Processes() {}

  /** The processes whose command name, or whose program's file name, is {@code name}; ascending. */
  public static List<Integer> byName(String name) {
    List<Integer> found = new ArrayList<>();
    long self = ProcessHandle.current().pid();
    for (int pid : all()) {
      if (pid != self && hasName(pid, name)) {
        found.add(pid);
      }
    }
    return found;
  }

  private static boolean hasName(int pid, String name) {
    try {
      if (ProcFs.read(ProcFs.of(pid, "comm")).strip().equals(name)) {
        return true;
      }
      Path program = Files.readSymbolicLink(ProcFs.of(pid, "exe")).getFileName();
      return program != null && program.toString().equals(name);
    } catch (TargetGoneException | NotPermittedException | IOException e) {
      // Ended meanwhile, a kernel thread, or not ours to see.
      return false;
    }
  }

  /**
   * The processes that map a file or hold it open, by device and inode; ascending. Processes that
   * may not be looked at are passed over.
   */
  public static List<Integer> mapping(Path file) {
    List<Integer> found = new ArrayList<>();
    try {
      Object key = Files.readAttributes(file, "unix:dev,ino").toString();
      long inode = ((Number) Files.getAttribute(file, "unix:ino")).longValue();
      for (int pid : all()) {
        if (maps(pid, file, inode) || holdsOpen(pid, key)) {
          found.add(pid);
        }
      }
    } catch (IOException e) {
      // No such file: nobody uses it.
      return List.of();
    }
    return found;
  }

  private static boolean maps(int pid, Path file, long inode) throws IOException {
    try {
      for (ProcArea area : MapsParser.parse(ProcFs.read(ProcFs.of(pid, "maps")))) {
        // The device numbers of maps and stat differ on some file systems (Btrfs); the name decides
        // there.
        if (area.inode() == inode
            && (area.path().equals(file.toString())
                || area.path().equals(file.toRealPath().toString()))) {
          return true;
        }
      }
    } catch (TargetGoneException | NotPermittedException e) {
      return false;
    }
    return false;
  }

  private static boolean holdsOpen(int pid, Object key) {
    String[] numbers = new File("/proc/" + pid + "/fd").list();
    if (numbers == null) {
      return false;
    }
    for (String number : numbers) {
      try {
        if (Files.readAttributes(Path.of("/proc/" + pid + "/fd/" + number), "unix:dev,ino")
            .toString()
            .equals(key)) {
          return true;
        }
      } catch (IOException e) {
        // Closed meanwhile.
      }
    }
    return false;
  }

  /**
   * The processes that listen at a UNIX socket (unix(7), {@code /proc/net/unix}); ascending.
   * Processes that may not be looked at are passed over.
   *
   * @param socket its path; processes in another network namespace are not found
   */
  public static List<Integer> listeningAt(Path socket) {
    Set<String> links = new HashSet<>();
    String path = socket.toAbsolutePath().normalize().toString();
    for (UnixSocketLine each : UnixSocketLine.seenBy((int) ProcessHandle.current().pid())) {
      if (each.listening() && each.path().equals(path)) {
        links.add(each.link());
      }
    }
    List<Integer> found = new ArrayList<>();
    for (int pid : links.isEmpty() ? List.<Integer>of() : all()) {
      if (holdsLink(pid, links)) {
        found.add(pid);
      }
    }
    return found;
  }

  private static boolean holdsLink(int pid, Set<String> links) {
    String[] numbers = new File("/proc/" + pid + "/fd").list();
    for (String number : numbers == null ? new String[0] : numbers) {
      try {
        if (links.contains(
            Files.readSymbolicLink(Path.of("/proc/" + pid + "/fd/" + number)).toString())) {
          return true;
        }
      } catch (IOException e) {
        // Closed meanwhile.
      }
    }
    return false;
  }

  private static List<Integer> all() {
    List<Integer> pids = new ArrayList<>();
    String[] names = new File("/proc").list();
    if (names != null) {
      for (String name : names) {
        if (Character.isDigit(name.charAt(0))) {
          pids.add(Integer.parseInt(name));
        }
      }
    }
    pids.sort(null);
    return pids;
  }

  /**
   * Ends a process at once, and returns when it runs no more: the kernel needs a moment for a big
   * one.
   *
   * @throws TargetGoneException if there is none
   */
  public static void kill(int pid) {
    long result = Sys.tryCall(Nr.KILL, pid, SIGKILL, 0);
    if (result == -Errno.ESRCH) {
      throw new TargetGoneException("there is no process " + pid);
    }
    Sys.check("kill", "process " + pid, result);
    long deadline = System.nanoTime() + END_NANOS;
    while (runs(pid) && System.nanoTime() < deadline) {
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static boolean runs(int pid) {
    try {
      char state = ProcStat.parse(ProcFs.read(ProcFs.of(pid, "stat"))).state();
      return state != 'Z' && state != 'X';
    } catch (TargetGoneException ended) {
      return false;
    }
  }

  /** Asks a process to end (SIGTERM); one that is gone already is no error. */
  public static void terminate(int pid) {
    Sys.tryCall(Nr.KILL, pid, SIGTERM, 0);
  }

  /** Waits for the end of a child of ours; its exit status, or 128 and the signal. */
  static int awaitChild(int pid) {
    NativeBuffer word = new NativeBuffer(Integer.BYTES);
    while (true) {
      long result = Sys.tryCall(Nr.WAIT4, pid, word.address(), WALL);
      if (result == -Errno.EINTR) {
        continue;
      }
      if (result < 0) {
        throw new SyscallException("wait4", (int) -result, "process " + pid);
      }
      int status = word.bytes().getInt(0);
      int signal = status & SIGNAL_MASK;
      if (signal == SIGNAL_MASK) {
        continue;
      }
      return signal == 0 ? status >> 8 & 0xff : 128 + signal;
    }
  }
}
