// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import org.jspecify.annotations.Nullable;

/** The server refused a command or failed in it. The connection goes on. */
public final class QmpErrorException extends QmpException {
  private static final long serialVersionUID = 1;

  private final String command;
  private final String errorClassText;
  private final String description;

  QmpErrorException(
      String command, String errorClassText, String description, @Nullable Throwable cause) {
    super(
        command
            + ": "
            + description
            + (errorClassText.equals(ErrorClass.GENERIC_ERROR.text())
                ? ""
                : " (" + errorClassText + ")"),
        cause);
    this.command = command;
    this.errorClassText = errorClassText;
    this.description = description;
  }

  /** The command that was refused. */
  public String command() {
    return command;
  }

  /** The {@code class} of the error. */
  public ErrorClass errorClass() {
    return ErrorClass.of(errorClassText);
  }

  /** The {@code class} of the error as the server wrote it. */
  public String errorClassText() {
    return errorClassText;
  }

  /** The {@code desc} of the error: words for a human, which programs should not take apart. */
  public String description() {
    return description;
  }

  @Override
  QmpException again() {
    return new QmpErrorException(command, errorClassText, description, this);
  }
}
