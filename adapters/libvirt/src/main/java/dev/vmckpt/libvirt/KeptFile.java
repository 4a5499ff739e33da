// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Something small that the daemon made for a domain: a folder, a file in it, or the socket that
 * QEMU listens at, which comes back by itself and is of another owner then.
 *
 * @param path where it is
 * @param kind what it is
 * @param owner its user's number
 * @param group its group's number
 * @param mode its permissions
 * @param content of a file; null for all others
 */
record KeptFile(String path, Kind kind, int owner, int group, int mode, byte @Nullable [] content) {
  enum Kind {
    FOLDER,
    FILE,
    SOCKET
  }

  private static final int PERMISSIONS = 07777;
  private static final int TYPE = 0170000;
  private static final int SOCKET_TYPE = 0140000;

  /** Files beside a socket are keys and the like; what is longer is none of them. */
  private static final long MOST_BYTES = 64 << 10;

  /** The folders of these sockets, and what is in them. */
  static List<KeptFile> of(List<Path> sockets) throws IOException {
    List<KeptFile> folders = new ArrayList<>();
    List<KeptFile> inside = new ArrayList<>();
    for (Path folder :
        sockets.stream().map(each -> each.resolveSibling("").normalize()).distinct().toList()) {
      folders.add(of(folder, Kind.FOLDER, null));
      try (Stream<Path> all = Files.list(folder)) {
        for (Path each : all.sorted().toList()) {
          int mode = (int) Files.getAttribute(each, "unix:mode", LinkOption.NOFOLLOW_LINKS);
          if ((mode & TYPE) == SOCKET_TYPE) {
            inside.add(of(each, Kind.SOCKET, null));
          } else if (Files.isRegularFile(each, LinkOption.NOFOLLOW_LINKS)
              && Files.size(each) <= MOST_BYTES) {
            inside.add(of(each, Kind.FILE, Files.readAllBytes(each)));
          }
        }
      }
    }
    folders.addAll(inside);
    return folders;
  }

  /** One that is there. */
  static KeptFile of(Path path, Kind kind, byte @Nullable [] content) throws IOException {
    Map<String, Object> facts =
        Files.readAttributes(path, "unix:uid,gid,mode", LinkOption.NOFOLLOW_LINKS);
    return new KeptFile(
        path.toString(),
        kind,
        number(facts.get("uid")),
        number(facts.get("gid")),
        number(facts.get("mode")) & PERMISSIONS,
        content);
  }

  private static int number(@Nullable Object fact) {
    return fact instanceof Integer number ? number : 0;
  }

  /** Makes it again where it is missing; what is there stays as it is. Not for sockets. */
  void putBack() {
    Path at = Path.of(path);
    try {
      if (kind == Kind.FOLDER) {
        Files.createDirectory(at);
      } else if (kind == Kind.FILE && content != null) {
        Files.createFile(
            at, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(at, content);
      } else {
        return;
      }
      giveToOwner();
    } catch (FileAlreadyExistsException there) {
      // Somebody made it: it may be of use to them.
    } catch (IOException e) {
      throw new FailureException(path + " cannot be made again: " + e.getMessage(), e);
    }
  }

  /** Gives it the owner and the permissions it had. */
  void giveToOwner() throws IOException {
    Path at = Path.of(path);
    Files.setAttribute(at, "unix:uid", owner, LinkOption.NOFOLLOW_LINKS);
    Files.setAttribute(at, "unix:gid", group, LinkOption.NOFOLLOW_LINKS);
    if (kind != Kind.SOCKET) {
      Files.setAttribute(at, "unix:mode", mode, LinkOption.NOFOLLOW_LINKS);
    }
  }
}
