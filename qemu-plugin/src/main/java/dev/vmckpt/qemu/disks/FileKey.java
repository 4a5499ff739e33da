// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import dev.vmckpt.spi.FileStat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which file it is, whatever its name.
 *
 * @param device major << 32 | minor of the file system
 * @param inode the inode number
 */
record FileKey(long device, long inode) {
  static FileKey of(FileStat stat) {
    return new FileKey(stat.device(), stat.inode());
  }

  /** The file a path leads to; null if there is none, or it cannot be looked at. */
  static @Nullable FileKey tryOf(Path path) {
    try {
      Map<String, Object> found = Files.readAttributes(path, "unix:dev,ino");
      return found.get("dev") instanceof Long device && found.get("ino") instanceof Long inode
          ? new FileKey(split(device), inode)
          : null;
    } catch (IOException | InvalidPathException e) {
      return null;
    }
  }

  /** From the encoding of a device number in struct stat (gnu_dev_major, gnu_dev_minor). */
  private static long split(long encoded) {
    long major = ((encoded >>> 8) & 0xfff) | ((encoded >>> 32) & 0xfffff000L);
    long minor = (encoded & 0xff) | ((encoded >>> 12) & 0xffffff00L);
    return major << 32 | minor;
  }
}
