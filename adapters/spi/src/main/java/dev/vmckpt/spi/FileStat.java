// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/**
 * What stat(2) says of an open file.
 *
 * @param device major << 32 | minor of the file system
 * @param inode the inode number, unsigned
 * @param mode type and permissions
 * @param rdevice major << 32 | minor of a device file
 * @param bytes its length
 * @param links the number of names, 0 for a deleted file
 * @param modifiedNanos its modification time in nanoseconds since 1970
 */
public record FileStat(
    long device, long inode, int mode, long rdevice, long bytes, long links, long modifiedNanos) {
  private static final int TYPE = 0170000;

  public boolean isRegular() {
    return (mode & TYPE) == 0100000;
  }

  public boolean isDirectory() {
    return (mode & TYPE) == 0040000;
  }

  public boolean isCharDevice() {
    return (mode & TYPE) == 0020000;
  }

  public boolean isBlockDevice() {
    return (mode & TYPE) == 0060000;
  }

  public boolean isFifo() {
    return (mode & TYPE) == 0010000;
  }

  public boolean isSocket() {
    return (mode & TYPE) == 0140000;
  }

  /** The major number of a device file. */
  public int major() {
    return (int) (rdevice >>> 32);
  }

  /** The minor number of a device file. */
  public int minor() {
    return (int) rdevice;
  }
}
