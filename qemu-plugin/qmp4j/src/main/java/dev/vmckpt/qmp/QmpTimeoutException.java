// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/**
 * What was waited for did not come in time. The connection goes on; a command that was sent may
 * still be carried out.
 */
public final class QmpTimeoutException extends QmpException {
  private static final long serialVersionUID = 1;

  QmpTimeoutException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  QmpException again() {
    return new QmpTimeoutException(getMessage(), this);
  }
}
