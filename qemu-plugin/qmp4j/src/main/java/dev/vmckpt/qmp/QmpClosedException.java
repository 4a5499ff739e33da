// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The connection is closed, by the other end or by {@code close()}. */
public final class QmpClosedException extends QmpException {
  private static final long serialVersionUID = 1;

  private final List<String> inFlight;

  QmpClosedException(String message, List<String> inFlight, @Nullable Throwable cause) {
    super(
        inFlight.isEmpty()
            ? message
            : message + "; without an answer: " + String.join(", ", inFlight),
        cause);
    this.inFlight = inFlight;
  }

  private QmpClosedException(QmpClosedException first) {
    super(first.getMessage(), first);
    this.inFlight = first.inFlight;
  }

  /**
   * The commands that had been sent and not been answered, in the order they were sent. Whether the
   * server carried them out is not known.
   */
  public List<String> inFlight() {
    return inFlight;
  }

  @Override
  QmpException again() {
    return new QmpClosedException(this);
  }
}
