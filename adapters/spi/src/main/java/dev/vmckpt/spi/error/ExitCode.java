// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/** The exit codes of the command line, one for each kind of ending. */
public enum ExitCode {
  /** Everything asked for was done. */
  DONE(0),
  /** Something failed that is neither the user's nor the target's doing: a full disk, a bug. */
  FAILED(1),
  /** The command line is wrong. */
  USAGE(2),
  /** The target holds a resource that nobody carries; nothing of it was touched. */
  REFUSED(3),
  /** There is no such target, or it went away meanwhile. */
  NO_TARGET(4),
  /** The snapshot is missing, damaged, or of another format. */
  SNAPSHOT(5),
  /** A privilege is missing. */
  NOT_PERMITTED(6);

  private final int code;

  ExitCode(int code) {
    this.code = code;
  }

  /** The number handed to the operating system, 0 to 6. */
  public int code() {
    return code;
  }
}
