// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/**
 * What went wrong with a server or on the way to it.
 *
 * <p>The same failure may be thrown to several callers; each gets an exception of its own, with its
 * own stack, and the one the reader made as its cause.
 */
public abstract sealed class QmpException extends RuntimeException
    permits QmpBusyException,
        QmpClosedException,
        QmpConnectException,
        QmpErrorException,
        QmpEventsLostException,
        QmpInterruptedException,
        QmpProtocolException,
        QmpTimeoutException {
  private static final long serialVersionUID = 1;

  QmpException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** The same, from here; its cause is this one. */
  abstract QmpException again();

  /** The message, which every exception of this family has. */
  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
