// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/**
 * The calling thread was interrupted while it waited. Its interrupt status is set again, and the
 * connection goes on; a command that was sent may still be carried out.
 */
public final class QmpInterruptedException extends QmpException {
  private static final long serialVersionUID = 1;

  QmpInterruptedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  QmpException again() {
    return new QmpInterruptedException(getMessage(), this);
  }
}
