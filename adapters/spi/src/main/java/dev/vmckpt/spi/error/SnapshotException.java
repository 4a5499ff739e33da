// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

import org.jspecify.annotations.Nullable;

/** A snapshot that cannot be used as it is; {@link #fault()} says which of five answers this is. */
public final class SnapshotException extends VmckptException {
  /** What is wrong with a snapshot. */
  public enum Fault {
    /** There is none of that name or id, or a file of it is not there. */
    MISSING,
    /** Bytes are not what was written: a checksum, a length or a structure is wrong. */
    CORRUPT,
    /** Written in a format older than this version reads. */
    TOO_OLD,
    /** Written in a format newer than this version knows. */
    TOO_NEW,
    /** Not a snapshot of vmckpt, or one that others could have written. */
    FOREIGN
  }

  private final Fault fault;

  public SnapshotException(Fault fault, String message) {
    this(fault, message, null);
  }

  public SnapshotException(Fault fault, String message, @Nullable Throwable cause) {
    super(ExitCode.SNAPSHOT, message, cause);
    this.fault = fault;
  }

  public Fault fault() {
    return fault;
  }
}
