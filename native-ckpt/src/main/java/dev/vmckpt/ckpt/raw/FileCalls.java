// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.Nr;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * System calls about files and descriptors of our own process, and about those of others by pidfd.
 * The results of {@code try} calls are the kernel's: minus the errno for a failure.
 */
public final class FileCalls {
  public static final int O_CLOEXEC = 02000000;
  public static final int O_DIRECTORY = 0200000;
  public static final int AT_FDCWD = -100;
  public static final int F_GETPIPE_SZ = 1032;
  public static final int F_SETPIPE_SZ = 1031;
  public static final int F_ADD_SEALS = 1033;
  public static final int F_GET_SEALS = 1034;

  /** KCMP_FILE of linux/kcmp.h: do two descriptors share an open file description? */
  public static final int KCMP_FILE = 0;

  /** KCMP_FILES: do two threads share a descriptor table? */
  public static final int KCMP_FILES = 2;

  /** KCMP_EPOLL_TFD: is a descriptor the file that an epoll watches? */
  public static final int KCMP_EPOLL_TFD = 7;

  private static final int SENDFILE = 40;
  private static final int STATFS = 137;
  private static final int STATFS_BYTES = 120;
  private static final int GETDENTS64 = 217;
  private static final int READLINKAT = 267;
  private static final int TEE = 276;
  private static final int KCMP = 312;
  private static final int STATX = 332;
  private static final int PIDFD_OPEN = 434;
  private static final int PIDFD_GETFD = 438;

  private static final int STATX_BASIC_STATS = 0x7ff;
  private static final int AT_STATX_DONT_SYNC = 0x4000;
  private static final int STATX_BYTES = 256;
  private static final int FIONREAD = 0x541b;
  private static final int SPLICE_F_NONBLOCK = 2;
  private static final int SEEK_SET = 0;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int SENDFILE_MAX = 0x7ffff000;

  private FileCalls() {}

  /** openat(2) with O_CLOEXEC. */
  public static long tryOpen(String path, int flags, int mode) {
    NativeBuffer text = NativeBuffer.ofText(path);
    try {
      return Sys.tryCall(Nr.OPENAT, AT_FDCWD, text.address(), flags | O_CLOEXEC, mode, 0, 0);
    } finally {
      Reference.reachabilityFence(text);
    }
  }

  /** openat(2) with O_CLOEXEC that must succeed. */
  public static OwnFd open(String path, int flags, int mode) {
    return new OwnFd(Sys.check("open", path, tryOpen(path, flags, mode)));
  }

  /** getdents64(2). */
  public static long tryReadFolder(int folder, NativeBuffer into) {
    return Sys.tryCall(GETDENTS64, folder, into.address(), into.size());
  }

  /** lseek(2) to a place from the beginning. */
  public static long trySeek(int fd, long offset) {
    return Sys.tryCall(Nr.LSEEK, fd, offset, SEEK_SET);
  }

  /** The first data at or behind {@code offset}, or -ENXIO. */
  public static long trySeekData(int fd, long offset) {
    return Sys.tryCall(Nr.LSEEK, fd, offset, SEEK_DATA);
  }

  /** The first hole at or behind {@code offset}; the end of the file counts as one. */
  public static long trySeekHole(int fd, long offset) {
    return Sys.tryCall(Nr.LSEEK, fd, offset, SEEK_HOLE);
  }

  /** readlinkat(2). */
  public static long tryReadLink(int folder, NativeBuffer name, NativeBuffer into) {
    return Sys.tryCall(READLINKAT, folder, name.address(), into.address(), into.size(), 0, 0);
  }

  /** What the link at {@code path} points to, or null. */
  public static @Nullable String readLink(String path) {
    NativeBuffer name = NativeBuffer.ofText(path);
    NativeBuffer into = new NativeBuffer(4096);
    long length;
    try {
      length = tryReadLink(AT_FDCWD, name, into);
    } finally {
      Reference.reachabilityFence(name);
    }
    return length < 0 ? null : new String(into.copy(0, (int) length), StandardCharsets.UTF_8);
  }

  /** statx(2) of what a path leads to, links followed; null when there is nothing. */
  public static @Nullable FileStat stat(String path) {
    NativeBuffer name = NativeBuffer.ofText(path);
    NativeBuffer into = new NativeBuffer(STATX_BYTES);
    long result;
    try {
      result =
          Sys.tryCall(
              STATX,
              AT_FDCWD,
              name.address(),
              AT_STATX_DONT_SYNC,
              STATX_BASIC_STATS,
              into.address(),
              0);
    } finally {
      Reference.reachabilityFence(name);
    }
    return result < 0 ? null : decodeStatx(into.bytes());
  }

  /**
   * struct statx (linux/stat.h):
   *
   * <pre>
   * 0        16    28   32    40     112        120       128         132         136        140
   * mask ... nlink mode inode bytes  mtime.sec  .nsec     rdev major  rdev minor  dev major  dev minor
   * </pre>
   */
  private static FileStat decodeStatx(ByteBuffer b) {
    return new FileStat(
        (long) b.getInt(136) << 32 | (b.getInt(140) & 0xffffffffL),
        b.getLong(32),
        b.getShort(28) & 0xffff,
        (long) b.getInt(128) << 32 | (b.getInt(132) & 0xffffffffL),
        b.getLong(40),
        b.getInt(16) & 0xffffffffL,
        b.getLong(112) * 1_000_000_000L + b.getInt(120));
  }

  /** The magic number of the file system a path leads to (statfs(2)), or minus an errno. */
  public static long fileSystem(String path) {
    NativeBuffer name = NativeBuffer.ofText(path);
    NativeBuffer into = new NativeBuffer(STATFS_BYTES);
    long result;
    try {
      result = Sys.tryCall(STATFS, name.address(), into.address(), 0);
    } finally {
      Reference.reachabilityFence(name);
    }
    return result < 0 ? result : into.bytes().getLong(0);
  }

  /** fcntl(2). */
  public static long tryFcntl(int fd, int command, long argument) {
    return Sys.tryCall(Nr.FCNTL, fd, command, argument);
  }

  /** How many bytes can be read at once (FIONREAD). */
  public static long tryUnread(int fd) {
    NativeBuffer count = new NativeBuffer(4);
    long result = Sys.tryCall(Nr.IOCTL, fd, FIONREAD, count.address());
    return result < 0 ? result : count.bytes().getInt(0);
  }

  /** tee(2): copies what waits in a pipe to another and consumes nothing. */
  public static long tryTee(int from, int to, int length) {
    return Sys.tryCall(TEE, from, to, length, SPLICE_F_NONBLOCK, 0, 0);
  }

  /** read(2). */
  public static long tryRead(int fd, NativeBuffer into) {
    return Sys.tryCall(Nr.READ, fd, into.address(), into.size());
  }

  /** write(2). */
  public static long tryWrite(int fd, NativeBuffer from, int length) {
    try {
      return Sys.tryCall(Nr.WRITE, fd, from.address(), length);
    } finally {
      Reference.reachabilityFence(from);
    }
  }

  /** A pipe of our own, not blocking: the reading end, then the writing end. */
  public static OwnFd[] pipe(int flags) {
    NativeBuffer two = new NativeBuffer(8);
    Sys.call("pipe2", "a pipe of our own", Nr.PIPE2, two.address(), flags | O_CLOEXEC, 0);
    return new OwnFd[] {new OwnFd(two.bytes().getInt(0)), new OwnFd(two.bytes().getInt(4))};
  }

  /**
   * Copies a file into another, holes left out; the offsets of both are used.
   *
   * @return the bytes copied, or minus an errno
   */
  public static long tryCopySparse(int from, int to) {
    long copied = 0;
    long end = 0;
    while (true) {
      long start = trySeekData(from, end);
      if (start < 0) {
        return start == -6 ? copied : start; // ENXIO: nothing but holes from here on
      }
      end = trySeekHole(from, start);
      if (end < 0) {
        return end;
      }
      trySeek(from, start);
      trySeek(to, start);
      while (start < end) {
        long sent = Sys.tryCall(SENDFILE, to, from, 0, Math.min(end - start, SENDFILE_MAX), 0, 0);
        if (sent <= 0) {
          return sent < 0 ? sent : -Errno.EIO;
        }
        start += sent;
        copied += sent;
      }
    }
  }

  /** pidfd_open(2). */
  public static long tryPidFd(int pid) {
    return Sys.tryCall(PIDFD_OPEN, pid, 0, 0);
  }

  /** pidfd_getfd(2): a descriptor of ours for the open file of another process. */
  public static long tryDuplicate(OwnFd pidFd, int number) {
    return Sys.tryCall(PIDFD_GETFD, pidFd.number(), number, 0);
  }

  /** setns(2), for this thread. */
  public static long trySetNamespace(int fd, int type) {
    return Sys.tryCall(Nr.SETNS, fd, type, 0);
  }

  /**
   * kcmp(2): compares two things of two processes.
   *
   * @return 0 for the same, 1 for less, 2 for greater, 3 for neither, or minus an errno
   */
  public static long tryCompare(int pid1, int pid2, int type, long a, long b) {
    return Sys.tryCall(KCMP, pid1, pid2, type, a, b, 0);
  }
}
