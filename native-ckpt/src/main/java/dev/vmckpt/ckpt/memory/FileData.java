// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
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
  private static final int O_RDONLY = 0;

  private final OwnFd file;
  private final String path;

  /**
   * @throws dev.vmckpt.spi.error.SyscallException if it may not be opened: needs
   *     CAP_CHECKPOINT_RESTORE
   */
  FileData(int pid, long start, long end) {
    path = "/proc/" + pid + "/map_files/" + Long.toHexString(start) + "-" + Long.toHexString(end);
    file = FileCalls.open(path, O_RDONLY, 0);
  }

  long length() {
    return Sys.call("lseek", path, Nr.LSEEK, file.number(), 0, SEEK_END);
  }

  boolean startsWith(byte[] magic) {
    NativeBuffer head = new NativeBuffer(magic.length);
    long got = Sys.tryCall(Nr.PREAD64, file.number(), head.address(), magic.length, 0, 0, 0);
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
      long data = Sys.tryCall(Nr.LSEEK, file.number(), at, SEEK_DATA);
      if (data == -Errno.EINVAL || data < 0) {
        break;
      }
      long hole =
          Math.min(limit, Sys.call("lseek", path, Nr.LSEEK, file.number(), data, SEEK_HOLE));
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
    file.close();
  }
}
