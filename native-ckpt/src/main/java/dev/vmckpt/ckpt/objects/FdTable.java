// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.TargetGoneException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The descriptor table of a process: which numbers are in use, and where they point. Kept open, it
 * is read again for two system calls and one for each number.
 */
final class FdTable implements AutoCloseable {
  private static final int ENTRIES_BYTES = 32768;
  private static final int LINK_BYTES = 4096;
  private static final int NAME_BYTES = 16;

  private final int pid;
  private final OwnFd folder;
  private final NativeBuffer entries = new NativeBuffer(ENTRIES_BYTES);
  private final NativeBuffer name = new NativeBuffer(NAME_BYTES);
  private final NativeBuffer link = new NativeBuffer(LINK_BYTES);

  /**
   * One number.
   *
   * @param link what {@code /proc/PID/fd/N} points to
   */
  record Entry(int number, String link) {}

  FdTable(int pid) {
    this.pid = pid;
    String path = "/proc/" + pid + "/fd";
    long fd = FileCalls.tryOpen(path, FileCalls.O_DIRECTORY, 0);
    if (fd == -Errno.ENOENT) {
      throw new TargetGoneException("there is no process " + pid);
    }
    if (fd == -Errno.EACCES || fd == -Errno.EPERM) {
      throw new NotPermittedException(
          "the descriptors of "
              + pid
              + " may not be read: run as its owner or with CAP_SYS_PTRACE");
    }
    folder = new OwnFd(Sys.check("open", path, fd));
  }

  /** All numbers in use, ascending. */
  List<Entry> read() {
    List<Entry> found = new ArrayList<>();
    FileCalls.trySeek(folder.number(), 0);
    while (true) {
      long length = FileCalls.tryReadFolder(folder.number(), entries);
      if (length == -Errno.ENOENT || length == -Errno.ESRCH) {
        throw new TargetGoneException("process " + pid + " ended");
      }
      if (Sys.check("getdents64", "/proc/" + pid + "/fd", length) == 0) {
        return found;
      }
      addEntries(found, (int) length);
    }
  }

  /** struct linux_dirent64: inode 8, offset 8, length 2, type 1, name up to a zero. */
  private void addEntries(List<Entry> found, int length) {
    ByteBuffer bytes = entries.bytes();
    for (int at = 0; at < length; at += bytes.getShort(at + 16) & 0xffff) {
      int number = number(bytes, at + 19);
      if (number >= 0) {
        String target = tryLink(number);
        if (target != null) {
          found.add(new Entry(number, target));
        }
      }
    }
  }

  private static int number(ByteBuffer bytes, int at) {
    int number = 0;
    for (int i = at; bytes.get(i) != 0; i++) {
      int digit = bytes.get(i) - '0';
      if (digit < 0 || digit > 9) {
        return -1;
      }
      number = number * 10 + digit;
    }
    return number;
  }

  /** Where a number points; null when it was closed meanwhile. */
  private @Nullable String tryLink(int number) {
    putName(number);
    long length = FileCalls.tryReadLink(folder.number(), name, link);
    return length < 0 ? null : new String(link.copy(0, (int) length), StandardCharsets.UTF_8);
  }

  private void putName(int number) {
    String text = Integer.toString(number);
    for (int i = 0; i < text.length(); i++) {
      name.bytes().put(i, (byte) text.charAt(i));
    }
    name.bytes().put(text.length(), (byte) 0);
  }

  @Override
  public void close() {
    folder.close();
  }
}
