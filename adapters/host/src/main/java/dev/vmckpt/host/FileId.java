// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.FileStat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which file it is, whatever its name.
 *
 * @param device major << 32 | minor of the file system
 * @param inode the inode number
 */
record FileId(long device, long inode) {
  static FileId of(FileStat stat) {
    return new FileId(stat.device(), stat.inode());
  }

  /** The file a path leads to; null if there is none or it cannot be looked at. */
  static @Nullable FileId tryOf(Path path, LinkOption... options) {
    try {
      Map<String, Object> found = Files.readAttributes(path, "unix:dev,ino", options);
      Object device = found.get("dev");
      Object inode = found.get("ino");
      return device instanceof Long dev && inode instanceof Long ino
          ? new FileId(split(dev), ino)
          : null;
    } catch (IOException e) {
      return null;
    }
  }

  /** Whether {@code path} is a name of it. */
  boolean isNamed(String path) {
    try {
      return equals(tryOf(Path.of(path), LinkOption.NOFOLLOW_LINKS));
    } catch (InvalidPathException e) {
      return false; // a name this JVM cannot say
    }
  }

  /** From the encoding of a device number in struct stat (gnu_dev_major, gnu_dev_minor). */
  static long split(long encoded) {
    long major = ((encoded >>> 8) & 0xfff) | ((encoded >>> 32) & 0xfffff000L);
    long minor = (encoded & 0xff) | ((encoded >>> 12) & 0xffffff00L);
    return major << 32 | minor;
  }
}
