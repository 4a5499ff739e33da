// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

/** The flags of open(2) on x86-64 that matter when a file is opened again. */
final class OpenFlags {
  static final int RDONLY = 0;
  static final int CREAT = 0100;
  static final int NOCTTY = 0400;
  static final int APPEND = 02000;
  static final int NONBLOCK = 04000;
  static final int DIRECT = 040000;
  static final int DIRECTORY = 0200000;
  static final int NOATIME = 01000000;
  static final int CLOEXEC = 02000000;
  static final int PATH = 010000000;

  private static final int EXCL = 0200;
  private static final int TRUNC = 01000;
  private static final int ASYNC = 020000;
  private static final int TMPFILE = 020000000;

  private OpenFlags() {}

  /** What is recorded: everything but O_CLOEXEC, which belongs to a number. */
  static int recorded(int flags) {
    return flags & ~CLOEXEC;
  }

  /**
   * The flags to open a file again with. What makes or empties a file goes; O_TMPFILE goes, since
   * the file has a name this time; O_ASYNC goes, since open(2) does not know it.
   */
  static int again(int flags) {
    int again = flags & ~(CREAT | EXCL | TRUNC | ASYNC | CLOEXEC);
    if ((again & TMPFILE) != 0) {
      again &= ~(TMPFILE | DIRECTORY);
    }
    return again | NOCTTY;
  }
}
