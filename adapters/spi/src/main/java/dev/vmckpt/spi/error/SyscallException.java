// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/**
 * A system call that failed, made here or inside the target: the call, the errno by name, its
 * subject.
 */
public final class SyscallException extends VmckptException {
  private final int errno;

  /**
   * @param call the name of the system call, for example {@code mmap}
   * @param errno the positive error number
   * @param subject what it was about: which descriptor, address or path
   */
  public SyscallException(String call, int errno, String subject) {
    super(
        errno == Errno.EPERM || errno == Errno.EACCES ? ExitCode.NOT_PERMITTED : ExitCode.FAILED,
        call + " of " + subject + " failed: " + Errno.describe(errno),
        null);
    this.errno = errno;
  }

  /** The positive error number. */
  public int errno() {
    return errno;
  }
}
