// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/**
 * A failure of the machine around us, for example a disk that is full: neither the command nor the
 * target is at fault.
 */
public final class FailureException extends VmckptException {
  public FailureException(String message) {
    super(ExitCode.FAILED, message, null);
  }

  public FailureException(String message, Throwable cause) {
    super(ExitCode.FAILED, message, cause);
  }
}
