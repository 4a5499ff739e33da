// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.Nr;

/**
 * A mapped file of a target, opened through {@code /proc/PID/map_files}: where it holds data, and
 * its bytes.
 */
final class FileData implements AutoCloseable {
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int SEEK_END = 2;
  private static final int O_RDONLY_CLOEXEC = 02000000;

  private final int fd;
  private final String path;

  /**
   * @throws dev.vmckpt.spi.error.SyscallException if it may not be opened: needs
   *     CAP_CHECKPOINT_RESTORE
   */
  FileData(int pid, long start, long end) {
    path = "/proc/" + pid + "/map_files/" + Long.toHexString(start) + "-" + Long.toHexString(end);
    NativeBuffer text = NativeBuffer.ofText(path);
    fd = (int) Sys.call("open", path, Nr.OPENAT, -100, text.address(), O_RDONLY_CLOEXEC);
  }

  int fd() {
    return fd;
  }

  long length() {
    return Sys.call("lseek", path, Nr.LSEEK, fd, 0, SEEK_END);
  }

  boolean startsWith(byte[] magic) {
    NativeBuffer head = new NativeBuffer(magic.length);
    long got = Sys.tryCall(Nr.PREAD64, fd, head.address(), magic.length, 0, 0, 0);
    return got == magic.length && java.util.Arrays.equals(head.copy(0, magic.length), magic);
  }

  /**
   * The data in a range of the file, as addresses of the area that maps it.
   *
   * @param offset the offset in the file of {@code start}
   */
  Extents find(long start, long end, long offset) {
    Extents extents = new Extents();
    long limit = offset + (end - start);
    for (long at = offset; at < limit; ) {
      long data = Sys.tryCall(Nr.LSEEK, fd, at, SEEK_DATA);
      if (data == -Errno.EINVAL || data < 0) {
        break;
      }
      long hole = Math.min(limit, Sys.call("lseek", path, Nr.LSEEK, fd, data, SEEK_HOLE));
      long from = data / PageScan.PAGE * PageScan.PAGE;
      long to = (hole + PageScan.PAGE - 1) / PageScan.PAGE * PageScan.PAGE;
      if (from >= limit) {
        break;
      }
      extents.add(start + from - offset, start + Math.min(to, limit) - offset);
      at = Math.max(hole, at + 1);
    }
    return extents;
  }

  @Override
  public void close() {
    Sys.tryCall(Nr.CLOSE, fd, 0, 0);
  }
}
