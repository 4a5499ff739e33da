// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/**
 * What was read is not JSON, not QMP, or larger or deeper than {@link Limits} allow. The connection
 * is closed: nothing says where the next message would begin.
 */
public final class QmpProtocolException extends QmpException {
  private static final long serialVersionUID = 1;

  private final String excerpt;

  QmpProtocolException(String message, String excerpt, @Nullable Throwable cause) {
    super(message, cause);
    this.excerpt = excerpt;
  }

  /**
   * The beginning of the offending message: at most {@value Excerpt#BYTES} bytes of it, all of them
   * printable ASCII; any other byte is written as {@code \xNN}.
   */
  public String excerpt() {
    return excerpt;
  }

  @Override
  QmpException again() {
    return new QmpProtocolException(getMessage(), excerpt, this);
  }
}
