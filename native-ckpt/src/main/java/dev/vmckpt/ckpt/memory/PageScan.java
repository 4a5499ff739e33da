// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.SyscallException;
import dev.vmckpt.spi.remote.Nr;

/**
 * Finds the pages of a process that are its own: anonymous ones, and pages of private file mappings
 * that were written to. By the PAGEMAP_SCAN ioctl of {@code /proc/PID/pagemap} (Linux 6.7,
 * Documentation/admin-guide/mm/pagemap.rst), else by reading that file entry by entry.
 */
public final class PageScan implements AutoCloseable {
  /** The size of a page on x86-64. */
  public static final int PAGE = 4096;

  private static final long PAGEMAP_SCAN = 0xC0606610L;
  private static final int ARGUMENT_BYTES = 96;
  private static final int REGION_BYTES = 24;
  private static final int REGIONS = 2048;
  private static final long IS_FILE = 1 << 2;
  private static final long IS_PRESENT = 1 << 3;
  private static final long IS_SWAPPED = 1 << 4;
  private static final long IS_PFN_ZERO = 1 << 5;

  private static final long ENTRY_PRESENT = 1L << 63;
  private static final long ENTRY_SWAPPED = 1L << 62;
  private static final long ENTRY_FILE_OR_SHARED = 1L << 61;

  private final int pid;
  private final OwnFd file;
  private boolean byIoctl;
  private final NativeBuffer argument = new NativeBuffer(ARGUMENT_BYTES);
  private final NativeBuffer found = new NativeBuffer(REGION_BYTES * REGIONS);

  /**
   * @param pid the process, usually a forked child
   * @param allowIoctl false to use the table even where the ioctl is there
   */
  public PageScan(int pid, boolean allowIoctl) {
    this.pid = pid;
    byIoctl = allowIoctl;
    file = FileCalls.open("/proc/" + pid + "/pagemap", 0, 0);
  }

  /** Whether PAGEMAP_SCAN answered so far. */
  public boolean byIoctl() {
    return byIoctl;
  }

  /** The data of the range, whole pages. */
  Extents find(long start, long end) {
    if (byIoctl) {
      Extents extents = tryScan(start, end);
      if (extents != null) {
        return extents;
      }
      byIoctl = false;
    }
    return readTable(start, end);
  }

  private @org.jspecify.annotations.Nullable Extents tryScan(long start, long end) {
    Extents extents = new Extents();
    long at = start;
    while (at < end) {
      // struct pm_scan_arg { size flags start end walk_end vec vec_len max_pages
      //                      category_inverted category_mask category_anyof_mask return_mask }
      argument.bytes().putLong(0, ARGUMENT_BYTES);
      argument.bytes().putLong(8, 0);
      argument.bytes().putLong(16, at);
      argument.bytes().putLong(24, end);
      argument.bytes().putLong(32, 0);
      argument.bytes().putLong(40, found.address());
      argument.bytes().putLong(48, REGIONS);
      argument.bytes().putLong(56, 0);
      argument.bytes().putLong(64, IS_FILE | IS_PFN_ZERO);
      argument.bytes().putLong(72, IS_FILE | IS_PFN_ZERO);
      argument.bytes().putLong(80, IS_PRESENT | IS_SWAPPED);
      argument.bytes().putLong(88, IS_PRESENT | IS_SWAPPED);
      long regions = Sys.tryCall(Nr.IOCTL, file.number(), PAGEMAP_SCAN, argument.address());
      if (regions == -Errno.ENOTTY || regions == -Errno.EINVAL) {
        return null;
      }
      Sys.check("PAGEMAP_SCAN", "process " + pid, regions);
      for (int i = 0; i < regions; i++) {
        extents.add(
            found.bytes().getLong(i * REGION_BYTES), found.bytes().getLong(i * REGION_BYTES + 8));
      }
      long walked = argument.bytes().getLong(32);
      at = walked > at ? walked : end;
    }
    return extents;
  }

  private Extents readTable(long start, long end) {
    Extents extents = new Extents();
    int perRead = found.size() / Long.BYTES;
    for (long at = start; at < end; ) {
      int wanted = (int) Math.min(perRead, (end - at) / PAGE);
      long got =
          Sys.tryCall(
              Nr.PREAD64,
              file.number(),
              found.address(),
              (long) wanted * Long.BYTES,
              at / PAGE * Long.BYTES,
              0,
              0);
      if (got <= 0) {
        throw new SyscallException(
            "read", got == 0 ? Errno.ESRCH : (int) -got, "/proc/" + pid + "/pagemap");
      }
      for (int i = 0; i < got / Long.BYTES; i++) {
        long entry = found.bytes().getLong(i * Long.BYTES);
        boolean there = (entry & (ENTRY_PRESENT | ENTRY_SWAPPED)) != 0;
        if (there && (entry & ENTRY_FILE_OR_SHARED) == 0) {
          extents.add(at + (long) i * PAGE, at + (long) (i + 1) * PAGE);
        }
      }
      at += got / Long.BYTES * PAGE;
    }
    return extents;
  }

  @Override
  public void close() {
    file.close();
  }
}
