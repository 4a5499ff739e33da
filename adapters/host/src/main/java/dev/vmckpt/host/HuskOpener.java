// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Opens files inside a husk, for one recorded descriptor. */
final class HuskOpener {
  private static final long AT_FDCWD = -100;
  private static final int SEEK_SET = 0;
  private static final int SEEK_END = 2;
  private static final int F_DUPFD = 0;
  private static final int F_GETFL = 3;
  private static final int F_SETFL = 4;
  private static final int F_SETLK = 6;
  private static final int F_OFD_SETLK = 37;
  private static final int FLOCK = 73;
  private static final int LOCK_SH_NB = 1 | 4;
  private static final int LOCK_EX_NB = 2 | 4;

  private final ReattachContext context;
  private final RemoteProcess husk;
  private final RemoteFd wanted;

  /**
   * @param wanted the lowest number the descriptor had
   */
  HuskOpener(ReattachContext context, RemoteFd wanted) {
    this.context = context;
    this.husk = context.husk();
    this.wanted = wanted;
  }

  ReattachContext context() {
    return context;
  }

  /** What stands in the way of this descriptor. */
  RefusedException refused(String path, String why, String remedy) {
    return new RefusedException("restore", List.of(new Refusal(wanted + " " + path, why, remedy)));
  }

  /** {@code --reattach fd:N=PATH}, as a remedy. */
  String elsewhere() {
    return "open another file in its place: --reattach " + wanted + "=PATH";
  }

  /** Tells the user how this descriptor came back. */
  void note(String path, String what) {
    context.note(wanted + " " + path + ": " + what);
  }

  /** Opens a file as it was open: with its flags, at its position, with its locks. */
  RemoteFd open(String path, OpenState open) {
    RemoteFd fd = open(path, OpenFlags.again(open.flags()), 0);
    if ((open.flags() & OpenFlags.PATH) == 0) {
      seek(fd, path, open.position());
      fd = lock(fd, path, open);
    }
    return fd;
  }

  /**
   * Opens a file.
   *
   * @throws RefusedException if it is missing, or nobody is at its other end
   */
  RemoteFd open(String path, int flags, int mode) {
    Path file = Path.of(path);
    boolean waits =
        Files.exists(file)
            && !Files.isRegularFile(file)
            && !Files.isDirectory(file)
            && (flags & (OpenFlags.NONBLOCK | OpenFlags.PATH)) == 0;
    if (!waits) {
      return openNow(path, flags, mode);
    }
    // A named pipe without another end and a serial line without a carrier keep us for ever.
    RemoteFd fd = openNow(path, flags | OpenFlags.NONBLOCK, mode);
    long now = husk.call("fcntl(F_GETFL)", path, Nr.FCNTL, fd.number(), F_GETFL);
    husk.call("fcntl(F_SETFL)", path, Nr.FCNTL, fd.number(), F_SETFL, now & ~OpenFlags.NONBLOCK);
    return fd;
  }

  private RemoteFd openNow(String path, int flags, int mode) {
    byte[] utf8 = path.getBytes(StandardCharsets.UTF_8);
    if (utf8.length >= RemoteProcess.SCRATCH_BYTES) {
      throw new FailureException(wanted + ": the path is too long to be opened: " + path);
    }
    RemoteAddress scratch = husk.scratch();
    husk.write(scratch, Arrays.copyOf(utf8, utf8.length + 1));
    long result = tryOpen(scratch, flags, mode);
    if (result == -Errno.EINVAL && (flags & OpenFlags.DIRECT) != 0) {
      result = tryOpen(scratch, flags & ~OpenFlags.DIRECT, mode);
      if (result >= 0) {
        note(path, "opened without O_DIRECT, which its file system does not know");
      }
    } else if (result == -Errno.EPERM && (flags & OpenFlags.NOATIME) != 0) {
      result = tryOpen(scratch, flags & ~OpenFlags.NOATIME, mode);
    }
    if (result == -Errno.ENOENT) {
      throw refused(path, "is missing", "put it back, or " + elsewhere());
    }
    if (result == -Errno.ENXIO) {
      throw refused(
          path, "has nobody at its other end", "start who is to be there, or " + elsewhere());
    }
    if (result < 0) {
      throw new SyscallException("openat", (int) -result, wanted + " " + path);
    }
    return new RemoteFd((int) result);
  }

  private long tryOpen(RemoteAddress path, int flags, int mode) {
    return husk.tryCall(Nr.OPENAT, AT_FDCWD, path.value(), flags, mode);
  }

  /** Closes what was opened. */
  void close(RemoteFd fd) {
    husk.call("close", wanted + " " + fd, Nr.CLOSE, fd.number());
  }

  /** Sets the file offset. */
  void seek(RemoteFd fd, String path, long position) {
    husk.call("lseek", wanted + " " + path, Nr.LSEEK, fd.number(), position, SEEK_SET);
  }

  /** Sets the file offset; what has none stays as it is. */
  void trySeek(RemoteFd fd, long position) {
    husk.tryCall(Nr.LSEEK, fd.number(), position, SEEK_SET);
  }

  /** Sets the file offset to the end; what has no offset stays as it is. */
  void seekEnd(RemoteFd fd) {
    husk.tryCall(Nr.LSEEK, fd.number(), 0, SEEK_END);
  }

  /**
   * Takes its locks again. POSIX locks are gone as soon as the process closes any descriptor of the
   * file: a file that has some is put at its own number here, and the locks of all its descriptions
   * that stand already are taken once more.
   *
   * @return where it stands now
   */
  RemoteFd lock(RemoteFd fd, String path, OpenState open) {
    RemoteFd at = fd;
    if (!open.processLocks().isEmpty() && !fd.equals(wanted)) {
      String subject = wanted + " " + path;
      at =
          new RemoteFd(
              (int)
                  husk.call(
                      "fcntl(F_DUPFD)", subject, Nr.FCNTL, fd.number(), F_DUPFD, wanted.number()));
      husk.call("close", subject, Nr.CLOSE, fd.number());
    }
    for (FileLock lock : open.locks()) {
      take(lock, at, path);
    }
    FileId file = open.processLocks().isEmpty() ? null : fileAt(at);
    for (FileLock lock : open.processLocks()) {
      RemoteFd through = lock.fd() == wanted.number() ? at : new RemoteFd(lock.fd());
      if (through.equals(at) || (file != null && file.equals(fileAt(through)))) {
        take(lock, through, path);
      }
    }
    return at;
  }

  private @Nullable FileId fileAt(RemoteFd fd) {
    return FileId.tryOf(Path.of("/proc/" + husk.pid() + "/fd/" + fd.number()));
  }

  private void take(FileLock lock, RemoteFd fd, String path) {
    long result;
    if (lock.owner() == FileLock.Owner.FLOCK) {
      result = husk.tryCall(FLOCK, fd.number(), lock.exclusive() ? LOCK_EX_NB : LOCK_SH_NB);
    } else {
      RemoteAddress scratch = husk.scratch();
      husk.write(scratch, lock.struct());
      int command = lock.owner() == FileLock.Owner.OFD ? F_OFD_SETLK : F_SETLK;
      result = husk.tryCall(Nr.FCNTL, fd.number(), command, scratch.value());
    }
    if (result == -Errno.EAGAIN || result == -Errno.EACCES) {
      throw refused(
          path,
          "somebody else has locked it (bytes from " + lock.start() + " on)",
          "end the process that holds the lock, or " + elsewhere());
    }
    if (result < 0) {
      throw new SyscallException("lock", (int) -result, wanted + " " + path);
    }
  }
}
