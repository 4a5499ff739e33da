// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

import java.util.Map;

/**
 * The error numbers of Linux (include/uapi/asm-generic/errno.h) that are tested for or likely to be
 * met.
 */
public final class Errno {
  public static final int EPERM = 1;
  public static final int ENOENT = 2;
  public static final int ESRCH = 3;
  public static final int EINTR = 4;
  public static final int EIO = 5;
  public static final int ENXIO = 6;
  public static final int E2BIG = 7;
  public static final int EBADF = 9;
  public static final int ECHILD = 10;
  public static final int EAGAIN = 11;
  public static final int ENOMEM = 12;
  public static final int EACCES = 13;
  public static final int EFAULT = 14;
  public static final int EBUSY = 16;
  public static final int EEXIST = 17;
  public static final int ENODEV = 19;
  public static final int EINVAL = 22;
  public static final int ENOTTY = 25;
  public static final int EFBIG = 27;
  public static final int ENOSPC = 28;
  public static final int EROFS = 30;
  public static final int ENOSYS = 38;
  public static final int EOPNOTSUPP = 95;
  public static final int EADDRINUSE = 98;
  public static final int EDQUOT = 122;

  private static final Map<Integer, String> TEXTS =
      Map.ofEntries(
          Map.entry(EPERM, "EPERM (operation not permitted)"),
          Map.entry(ENOENT, "ENOENT (no such file or directory)"),
          Map.entry(ESRCH, "ESRCH (no such process)"),
          Map.entry(EINTR, "EINTR (interrupted)"),
          Map.entry(EIO, "EIO (input/output error)"),
          Map.entry(ENXIO, "ENXIO (no such device or address)"),
          Map.entry(E2BIG, "E2BIG (argument list too long)"),
          Map.entry(EBADF, "EBADF (bad file descriptor)"),
          Map.entry(ECHILD, "ECHILD (no child processes)"),
          Map.entry(EAGAIN, "EAGAIN (try again)"),
          Map.entry(ENOMEM, "ENOMEM (out of memory)"),
          Map.entry(EACCES, "EACCES (permission denied)"),
          Map.entry(EFAULT, "EFAULT (bad address)"),
          Map.entry(EBUSY, "EBUSY (device or resource busy)"),
          Map.entry(EEXIST, "EEXIST (exists already)"),
          Map.entry(ENODEV, "ENODEV (no such device)"),
          Map.entry(EINVAL, "EINVAL (invalid argument)"),
          Map.entry(ENOTTY, "ENOTTY (not supported by this descriptor)"),
          Map.entry(EFBIG, "EFBIG (file too large)"),
          Map.entry(ENOSPC, "ENOSPC (no space left on device)"),
          Map.entry(EROFS, "EROFS (read-only file system)"),
          Map.entry(ENOSYS, "ENOSYS (not implemented by this kernel)"),
          Map.entry(EOPNOTSUPP, "EOPNOTSUPP (operation not supported)"),
          Map.entry(EADDRINUSE, "EADDRINUSE (address already in use)"),
          Map.entry(EDQUOT, "EDQUOT (disk quota exceeded)"));

  private Errno() {}

  /** The symbolic name and its meaning, or {@code errno N}. */
  public static String describe(int errno) {
    return TEXTS.getOrDefault(errno, "errno " + errno);
  }
}
