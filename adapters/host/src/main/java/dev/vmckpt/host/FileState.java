// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import java.util.List;

/** What is recorded of one open file: its kind says how it comes back. */
sealed interface FileState {
  /** How it is open. */
  OpenState open();

  /** The record an image holds. */
  record State(FileState file) {}

  /**
   * How a file is open.
   *
   * @param flags the status flags of open(2), without O_CLOEXEC
   * @param position the file offset
   * @param locks the locks that belong to this open file description
   * @param processLocks all POSIX locks of the process on this file, whichever description they
   *     were taken through
   */
  record OpenState(int flags, long position, List<FileLock> locks, List<FileLock> processLocks) {}

  /**
   * A file that is only read: it stays where it is.
   *
   * @param path where it stands
   * @param bytes its length
   * @param modifiedNanos its modification time
   */
  record ReadOnlyFile(String path, long bytes, long modifiedNanos, OpenState open)
      implements FileState {}

  /**
   * A file that is only written.
   *
   * @param path where it stands
   * @param bytes its length in the pause
   * @param mode its permissions, for making it again
   */
  record LogFile(String path, long bytes, int mode, OpenState open) implements FileState {}

  /**
   * A file that is read and written.
   *
   * @param path where it stood
   * @param copy what it held, a path within the folder of the snapshot
   * @param mode its permissions
   * @param user its owner
   * @param group its group
   */
  record DiskFile(String path, String copy, int mode, int user, int group, OpenState open)
      implements FileState {}

  /**
   * A file without a name.
   *
   * @param was its last name
   * @param copy what it held, a path within the folder of the snapshot
   * @param index which of its open file descriptions this is, from 0
   * @param count how many open file descriptions it has
   */
  record UnnamedFile(String was, String copy, int index, int count, OpenState open)
      implements FileState {}

  /**
   * A file the kernel makes up: below /proc or /sys.
   *
   * @param path where it stands; the process's own folder is /proc/self
   */
  record KernelFile(String path, OpenState open) implements FileState {}

  /**
   * A directory.
   *
   * @param path where it stands
   */
  record Directory(String path, OpenState open) implements FileState {}

  /**
   * A block device that is only read.
   *
   * @param path where it stands
   * @param device major << 32 | minor
   */
  record BlockDevice(String path, long device, OpenState open) implements FileState {}
}
