// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.FileRange;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.Nr;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Copies files by FICLONE, else extent by extent.
 *
 * <p>{@link #canReflink} runs all of it once on a file of one block: whoever asks it before a pause
 * has loaded every class that {@link #copy} needs inside. One buffer serves all copies, so that no
 * memory is got there either; two threads take turns.
 */
public final class LinuxFileCloner implements FileCloner {
  private static final int AT_FDCWD = -100;
  private static final int NEW_FILE =
      // O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
      02 | 0100 | 0200 | 0400000 | 02000000;
  private static final int READ_ONLY = 02000000; // O_RDONLY | O_CLOEXEC
  private static final int PRIVATE = 0600;

  private static final int SEEK_END = 2;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int NR_COPY_FILE_RANGE = 326;

  /** _IOW(0x94, 9, int) of linux/fs.h. */
  private static final int FICLONE = 0x40049409;

  /**
   * _IOW(0x94, 13, struct file_clone_range): s64 src_fd, u64 src_offset, src_length, dest_offset.
   */
  private static final int FICLONERANGE = 0x4020940d;

  /** _IOR('f', 1, long) and _IOW('f', 2, long); the value is an int all the same. */
  private static final int FS_IOC_GETFLAGS = 0x80086601;

  private static final int FS_IOC_SETFLAGS = 0x40086602;
  private static final int FS_NOCOW_FL = 0x00800000;

  private static final int ENXIO = 6;
  private static final int EXDEV = 18;
  private static final int BLOCK = 4096;
  private static final int CHUNK = 1 << 20;
  private static final long RANGE_CHUNK = 1L << 28;

  /** Contents on their way, and before they are on their way the arguments of calls. */
  private final NativeBuffer buffer = new NativeBuffer(CHUNK);

  @Override
  public synchronized boolean canReflink(Path file, Path folder) {
    String tag = ".vmckpt-probe-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
    String first = folder.resolve(tag).toString();
    String second = first + "b";
    try (Descriptor one = create(first)) {
      try {
        try (Descriptor source = open(file.toString())) {
          return sameFileSystem(source, one) && canShare(source, one, first, second);
        }
      } finally {
        remove(first);
      }
    }
  }

  /**
   * Whether two files lie in one file system. Their device numbers do not tell (each subvolume of
   * Btrfs has its own), the kernel's first check of a clone does. The range is misaligned on
   * purpose, so that nothing of the source can be shared: EINVAL is the answer of a file system
   * that got further.
   */
  private boolean sameFileSystem(Descriptor source, Descriptor target) {
    buffer.bytes().putLong(0, source.number).putLong(8, 1).putLong(16, 1).putLong(24, 1);
    long result = Sys.tryCall(Nr.IOCTL, target.number, FICLONERANGE, buffer.address());
    return result != -EXDEV && result != -Errno.EOPNOTSUPP;
  }

  /** Whether a file of one block, with the source's way of storage, can be cloned beside itself. */
  private boolean canShare(Descriptor source, Descriptor one, String first, String second) {
    inheritNoCow(source, one);
    for (int i = 0; i < BLOCK; i++) {
      buffer.bytes().put(i, (byte) 1);
    }
    Sys.check(
        "pwrite", first, Sys.tryCall(Nr.PWRITE64, one.number, buffer.address(), BLOCK, 0, 0, 0));
    boolean shared;
    try (Descriptor two = create(second)) {
      try {
        inheritNoCow(one, two);
        shared = Sys.tryCall(Nr.IOCTL, two.number, FICLONE, one.number) == 0;
      } finally {
        remove(second);
      }
    }
    if (!shared) {
      // The way that will be gone, once for practice.
      copy(Path.of(first), Path.of(second));
      remove(second);
    }
    return shared;
  }

  @Override
  public synchronized long copy(Path from, Path to) {
    String source = from.toString();
    String target = to.toString();
    boolean done = false;
    try (Descriptor in = open(source)) {
      try (Descriptor out = create(target)) {
        try {
          inheritNoCow(in, out);
          long copied = tryClone(in, out, target) ? 0 : copySparsely(in, out, source, target);
          done = true;
          return copied;
        } finally {
          if (!done) {
            remove(target);
          }
        }
      }
    }
  }

  /** Btrfs shares no blocks between a file that is copied on write and one that is not. */
  private void inheritNoCow(Descriptor in, Descriptor out) {
    if (Sys.tryCall(Nr.IOCTL, in.number, FS_IOC_GETFLAGS, buffer.address()) == 0
        && (buffer.bytes().getInt(0) & FS_NOCOW_FL) != 0
        && Sys.tryCall(Nr.IOCTL, out.number, FS_IOC_GETFLAGS, buffer.address()) == 0) {
      buffer.bytes().putInt(0, buffer.bytes().getInt(0) | FS_NOCOW_FL);
      Sys.tryCall(Nr.IOCTL, out.number, FS_IOC_SETFLAGS, buffer.address());
    }
  }

  private static boolean tryClone(Descriptor in, Descriptor out, String target) {
    long result = Sys.tryCall(Nr.IOCTL, out.number, FICLONE, in.number);
    if (result == -Errno.ENOSPC || result == -Errno.EDQUOT) {
      throw full(target, (int) -result);
    }
    return result == 0;
  }

  private long copySparsely(Descriptor in, Descriptor out, String source, String target) {
    long length = length(in, source);
    checkWrite("ftruncate", target, Sys.tryCall(Nr.FTRUNCATE, out.number, length, 0));
    boolean inKernel = true;
    long copied = 0;
    long start = nextData(in, 0, length, source);
    while (start < length) {
      long end = nextHole(in, start, length, source);
      long at = start;
      while (at < end) {
        long step = inKernel ? copyRange(in, out, at, end - at) : -EXDEV;
        if (step <= 0) {
          if (step == -Errno.EINTR) {
            continue;
          }
          if (step == -Errno.ENOSPC || step == -Errno.EDQUOT) {
            throw full(target, (int) -step);
          }
          // Not between these two files; or nothing, as some file systems say that copy otherwise.
          inKernel = false;
          step = copyChunk(in, out, at, end - at, source, target);
        }
        at += step;
      }
      copied += end - start;
      start = nextData(in, end, length, source);
    }
    return copied;
  }

  private long copyRange(Descriptor in, Descriptor out, long at, long bytes) {
    buffer.bytes().putLong(0, at).putLong(8, at);
    long arguments = buffer.address();
    return Sys.tryCall(
        NR_COPY_FILE_RANGE,
        in.number,
        arguments,
        out.number,
        arguments + 8,
        Math.min(bytes, RANGE_CHUNK),
        0);
  }

  private long copyChunk(
      Descriptor in, Descriptor out, long at, long bytes, String source, String target) {
    long wanted = Math.min(bytes, CHUNK);
    long read;
    do {
      read = Sys.tryCall(Nr.PREAD64, in.number, buffer.address(), wanted, at, 0, 0);
    } while (read == -Errno.EINTR);
    Sys.check("pread", source, read);
    if (read == 0) {
      throw new FailureException(source + " became shorter while it was copied");
    }
    long written = 0;
    while (written < read) {
      long step =
          Sys.tryCall(
              Nr.PWRITE64,
              out.number,
              buffer.address() + written,
              read - written,
              at + written,
              0,
              0);
      if (step != -Errno.EINTR) {
        written += checkWrite("pwrite", target, step);
      }
    }
    return read;
  }

  @Override
  public synchronized long dataBytes(Path file) {
    long bytes = 0;
    for (FileRange range : dataRanges(file)) {
      bytes += range.end() - range.start();
    }
    return bytes;
  }

  @Override
  public synchronized List<FileRange> dataRanges(Path file) {
    String name = file.toString();
    List<FileRange> ranges = new ArrayList<>();
    try (Descriptor in = open(name)) {
      long length = length(in, name);
      long start = nextData(in, 0, length, name);
      while (start < length) {
        long end = nextHole(in, start, length, name);
        ranges.add(new FileRange(start, end));
        start = nextData(in, end, length, name);
      }
    }
    return ranges;
  }

  private static long length(Descriptor in, String name) {
    return Sys.call("lseek", name, Nr.LSEEK, in.number, 0, SEEK_END);
  }

  /** Where data begins at or behind a place; the end of the file if there is none. */
  private static long nextData(Descriptor in, long from, long length, String name) {
    if (from >= length) {
      return length;
    }
    long found = Sys.tryCall(Nr.LSEEK, in.number, from, SEEK_DATA);
    if (found == -ENXIO) {
      return length;
    }
    if (found == -Errno.EINVAL) {
      return from; // holes are not known here: everything is data
    }
    return Math.min(length, Sys.check("lseek(SEEK_DATA)", name, found));
  }

  /** Where the data at a place ends. */
  private static long nextHole(Descriptor in, long from, long length, String name) {
    long found = Sys.tryCall(Nr.LSEEK, in.number, from, SEEK_HOLE);
    if (found == -Errno.EINVAL) {
      return length;
    }
    return Math.min(length, Sys.check("lseek(SEEK_HOLE)", name, found));
  }

  private static Descriptor open(String path) {
    return new Descriptor((int) Sys.check("openat", path, tryOpen(path, READ_ONLY)));
  }

  private static Descriptor create(String path) {
    return new Descriptor((int) checkWrite("openat", path, tryOpen(path, NEW_FILE)));
  }

  private static long tryOpen(String path, int flags) {
    NativeBuffer name = NativeBuffer.ofText(path);
    try {
      return Sys.tryCall(Nr.OPENAT, AT_FDCWD, name.address(), flags, PRIVATE, 0, 0);
    } finally {
      Reference.reachabilityFence(name);
    }
  }

  private static void remove(String path) {
    NativeBuffer name = NativeBuffer.ofText(path);
    try {
      Sys.tryCall(Nr.UNLINK, name.address(), 0, 0);
    } finally {
      Reference.reachabilityFence(name);
    }
  }

  private static long checkWrite(String call, String target, long result) {
    if (result == -Errno.ENOSPC || result == -Errno.EDQUOT) {
      throw full(target, (int) -result);
    }
    return Sys.check(call, target, result);
  }

  private static FailureException full(String target, int errno) {
    return new FailureException(
        "there is no room to write " + target, new SyscallException("write", errno, target));
  }

  /** A descriptor of ours, closed at the end of its scope. */
  private static final class Descriptor implements AutoCloseable {
    final int number;

    Descriptor(int number) {
      this.number = number;
    }

    @Override
    public void close() {
      Sys.tryCall(Nr.CLOSE, number, 0, 0);
    }
  }
}
