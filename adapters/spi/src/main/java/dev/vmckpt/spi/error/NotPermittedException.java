// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/** A privilege is missing; the message names it and says how to get it. */
public final class NotPermittedException extends VmckptException {
  public NotPermittedException(String message) {
    super(ExitCode.NOT_PERMITTED, message, null);
  }

  public NotPermittedException(String message, Throwable cause) {
    super(ExitCode.NOT_PERMITTED, message, cause);
  }
}
