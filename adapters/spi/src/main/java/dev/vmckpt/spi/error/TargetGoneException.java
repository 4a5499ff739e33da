// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/**
 * There is no such target, or it ended while it was being looked at. The one failure that is
 * expected at any moment.
 */
public final class TargetGoneException extends VmckptException {
  public TargetGoneException(String message) {
    super(ExitCode.NO_TARGET, message, null);
  }

  public TargetGoneException(String message, Throwable cause) {
    super(ExitCode.NO_TARGET, message, cause);
  }
}
