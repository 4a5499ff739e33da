// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/**
 * The connection was accepted, or stands in the queue of the kernel, but nobody greeted it in time:
 * somebody else holds this monitor, for a monitor serves one client at a time. A server that is
 * stopped, or does not speak QMP and waits for us to speak first, looks the same.
 */
public final class QmpBusyException extends QmpException {
  private static final long serialVersionUID = 1;

  QmpBusyException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  QmpException again() {
    return new QmpBusyException(getMessage(), this);
  }
}
