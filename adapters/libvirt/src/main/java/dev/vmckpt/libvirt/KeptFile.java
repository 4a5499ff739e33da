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
 * Something small that the daemon made for a domain: a folder, or a file in it.
 *
 * @param path where it is
 * @param owner its user's number
 * @param group its group's number
 * @param mode its permissions
 * @param content what is in it; null for a folder
 */
record KeptFile(String path, int owner, int group, int mode, byte @Nullable [] content) {
  private static final int PERMISSIONS = 07777;

  /** Files beside the sockets are keys and the like; what is longer is none of them. */
  private static final long MOST_BYTES = 64 << 10;

  /** These folders as far as they are there, and then the files in them. */
  static List<KeptFile> of(List<Path> folders) throws IOException {
    List<KeptFile> kept = new ArrayList<>();
    List<KeptFile> inside = new ArrayList<>();
    for (Path folder : folders) {
      if (!Files.isDirectory(folder)) {
        continue;
      }
      kept.add(of(folder, null));
      try (Stream<Path> all = Files.list(folder)) {
        for (Path each : all.sorted().toList()) {
          if (Files.isRegularFile(each, LinkOption.NOFOLLOW_LINKS)
              && Files.size(each) <= MOST_BYTES) {
            inside.add(of(each, Files.readAllBytes(each)));
          }
        }
      }
    }
    kept.addAll(inside);
    return kept;
  }

  /**
   * One that is there.
   *
   * @param content null for a folder
   */
  static KeptFile of(Path path, byte @Nullable [] content) throws IOException {
    Map<String, Object> facts =
        Files.readAttributes(path, "unix:uid,gid,mode", LinkOption.NOFOLLOW_LINKS);
    return new KeptFile(
        path.toString(),
        number(facts.get("uid")),
        number(facts.get("gid")),
        number(facts.get("mode")) & PERMISSIONS,
        content);
  }

  private static int number(@Nullable Object fact) {
    return fact instanceof Integer number ? number : 0;
  }

  boolean isFolder() {
    return content == null;
  }

  /** Makes it again where it is missing; what is there stays as it is. */
  void putBack() {
    Path at = Path.of(path);
    try {
      if (content == null) {
        Files.createDirectory(at);
      } else {
        Files.createFile(
            at, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(at, content);
      }
      giveToOwner();
    } catch (FileAlreadyExistsException there) {
      // Somebody made it: it may be of use to them.
    } catch (IOException e) {
      throw new FailureException(path + " cannot be made again: " + e.getMessage(), e);
    }
  }

  /** Gives what is there the owner and the permissions. */
  void giveToOwner() throws IOException {
    Path at = Path.of(path);
    Files.setAttribute(at, "unix:uid", owner, LinkOption.NOFOLLOW_LINKS);
    Files.setAttribute(at, "unix:gid", group, LinkOption.NOFOLLOW_LINKS);
    Files.setAttribute(at, "unix:mode", mode);
  }
}
