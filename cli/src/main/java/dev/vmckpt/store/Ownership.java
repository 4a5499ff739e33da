// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.spi.error.SnapshotException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/**
 * Whether only we, or root, can have written something. A restore runs what a snapshot holds, so
 * that whoever can write to a snapshot can run anything as whoever restores it.
 */
final class Ownership {
  private static final int WRITABLE_BY_OTHERS = 0022;

  private static int ours = -1;

  private Ownership() {}

  /**
   * Refuses a folder or file that others could have written.
   *
   * @param links how links are treated: a link within a snapshot is not followed
   * @throws SnapshotException naming what is wrong, and the command that puts it right
   */
  static void check(Path path, LinkOption... links) throws IOException {
    Map<String, Object> attributes = Files.readAttributes(path, "unix:uid,mode", links);
    int owner = (Integer) Objects.requireNonNull(attributes.get("uid"));
    int mode = (Integer) Objects.requireNonNull(attributes.get("mode"));
    if (owner != 0 && owner != us()) {
      throw new SnapshotException(
          SnapshotException.Fault.FOREIGN,
          path
              + " belongs to user "
              + owner
              + " and you are user "
              + us()
              + ": restoring a snapshot runs what is in it, so one that others could have written is"
              + " refused; if you trust it, make it yours: chown -R "
              + us()
              + " "
              + path);
    }
    if ((mode & WRITABLE_BY_OTHERS) != 0) {
      throw new SnapshotException(
          SnapshotException.Fault.FOREIGN,
          path
              + " can be written by others (mode "
              + Integer.toOctalString(mode & 07777)
              + "), so what is in it cannot be trusted; if you do: chmod -R go-w "
              + path);
    }
  }

  /** Our own user id. */
  private static synchronized int us() throws IOException {
    if (ours < 0) {
      ours = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }
    return ours;
  }
}
