// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

import org.jspecify.annotations.Nullable;

/**
 * The root of all expected failures. The message is a whole sentence for the user; a cause, where
 * there is one, adds a fact of its own and is never repeated in the message.
 */
public abstract class VmckptException extends RuntimeException {
  private final ExitCode exitCode;

  protected VmckptException(ExitCode exitCode, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  /** The category of this failure. */
  public final ExitCode exitCode() {
    return exitCode;
  }
}
