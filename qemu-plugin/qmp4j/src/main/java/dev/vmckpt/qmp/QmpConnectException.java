// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/** There was no connection to be had: no such socket, nobody listens, not permitted. */
public final class QmpConnectException extends QmpException {
  private static final long serialVersionUID = 1;

  QmpConnectException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  QmpException again() {
    return new QmpConnectException(getMessage(), this);
  }
}
