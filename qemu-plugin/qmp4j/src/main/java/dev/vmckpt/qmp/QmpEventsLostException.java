// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/** An {@link EventQueue} was full when more events came. The queue and the connection go on. */
public final class QmpEventsLostException extends QmpException {
  private static final long serialVersionUID = 1;

  private final long lost;

  QmpEventsLostException(long lost, @Nullable Throwable cause) {
    super(lost + " events came while the queue was full, and are lost", cause);
    this.lost = lost;
  }

  /** How many events were lost at this place of the queue: 1 or more. */
  public long lost() {
    return lost;
  }

  @Override
  QmpException again() {
    return new QmpEventsLostException(lost, this);
  }
}
