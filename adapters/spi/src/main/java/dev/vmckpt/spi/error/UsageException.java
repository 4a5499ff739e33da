// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/** The command line asks for something that does not exist or does not fit together. */
public final class UsageException extends VmckptException {
  public UsageException(String message) {
    super(ExitCode.USAGE, message, null);
  }

  public UsageException(String message, Throwable cause) {
    super(ExitCode.USAGE, message, cause);
  }
}
