// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.image.SocketFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The file a UNIX socket is bound to, when it is still there.
 *
 * @param path its absolute path
 * @param access who may use it
 */
record UnixFile(String path, SocketFile access) {

  /**
   * Finds the file of a UNIX socket by the path it was bound to, and makes sure that it is that
   * very file.
   *
   * @param pid the process that holds the socket
   * @return null if it has none, or none any more
   */
  static @Nullable UnixFile tryFind(int pid, SocketFacts facts) {
    String path = SocketAddress.unixPath(facts.local());
    UnixDiag.Entry unix = facts.unix();
    if (path.isEmpty() || unix == null || unix.fileInode() == 0) {
      return null;
    }
    String absolute = path;
    if (!path.startsWith("/")) {
      String folder = FileCalls.readLink("/proc/" + pid + "/cwd");
      if (folder == null) {
        return null;
      }
      absolute = folder.endsWith("/") ? folder + path : folder + "/" + path;
    }
    String seen = "/proc/" + pid + "/root" + absolute;
    FileStat stat = FileCalls.stat(seen);
    // The kernel tells 32 bits of the inode number.
    if (stat == null || !stat.isSocket() || (stat.inode() & 0xffffffffL) != unix.fileInode()) {
      return null;
    }
    try {
      return new UnixFile(
          absolute, new SocketFile(stat.mode() & 07777, number(seen, "uid"), number(seen, "gid")));
    } catch (IOException e) {
      // It was removed just now.
      return null;
    }
  }

  private static int number(String path, String attribute) throws IOException {
    return (int) Files.getAttribute(Path.of(path), "unix:" + attribute);
  }
}
