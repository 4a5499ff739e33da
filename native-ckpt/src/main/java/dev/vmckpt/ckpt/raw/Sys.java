// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.raw;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import dev.vmckpt.spi.error.SyscallException;

/**
 * System calls of our own process, all through syscall(2): one function to bind, no structure to
 * map.
 *
 * <p>Results are the kernel's own: minus the errno (-4095 to -1) for a failure.
 */
public final class Sys {
  static {
    Native.register(Sys.class, NativeLibrary.getInstance("libc.so.6"));
  }

  private Sys() {}

  private static native long syscall(long number, long a, long b, long c, long d, long e, long f);

  /** Makes a system call that may fail; returns its result or minus the errno. */
  public static long tryCall(int number, long a, long b, long c, long d, long e, long f) {
    long result = syscall(number, a, b, c, d, e, f);
    return result == -1 ? -Native.getLastError() : result;
  }

  /** {@link #tryCall} with fewer arguments. */
  public static long tryCall(int number, long a, long b, long c) {
    return tryCall(number, a, b, c, 0, 0, 0);
  }

  /**
   * Makes a system call that must succeed.
   *
   * @param name its name, for the message
   * @param subject what it is about, for the message
   * @throws SyscallException if the kernel refuses
   */
  public static long call(
      String name, String subject, int number, long a, long b, long c, long d, long e, long f) {
    return check(name, subject, tryCall(number, a, b, c, d, e, f));
  }

  /** {@link #call} with fewer arguments. */
  public static long call(String name, String subject, int number, long a, long b, long c) {
    return call(name, subject, number, a, b, c, 0, 0, 0);
  }

  /** Throws if {@code result} is minus an errno, else returns it. */
  public static long check(String name, String subject, long result) {
    if (result < 0 && result >= -4095) {
      throw new SyscallException(name, (int) -result, subject);
    }
    return result;
  }
}
