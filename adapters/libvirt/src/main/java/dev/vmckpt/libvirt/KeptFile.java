// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Something small that the daemon made for a domain: a folder, or a file in it.
 *
 * @param path where it is
 * @param owner whose it is
 * @param mode its permissions
 * @param content what is in it; null for a folder
 */
record KeptFile(String path, Owner owner, int mode, byte @Nullable [] content) {
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

  private static KeptFile of(Path path, byte @Nullable [] content) throws IOException {
    int mode = (Integer) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    return new KeptFile(path.toString(), Owner.of(path), mode & PERMISSIONS, content);
  }

  boolean isFolder() {
    return content == null;
  }

  /** Makes it again where it is missing; what is there stays as it is, it may be of use. */
  void putBack() {
    if (Files.exists(Path.of(path), LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try {
      owner.run(
          content == null
              ? "mkdir \"$1\" && chmod \"$2\" \"$1\""
              : "set -C && cat >\"$1\" && chmod \"$2\" \"$1\"",
          content == null ? new byte[0] : content,
          path,
          Integer.toOctalString(mode));
    } catch (IOException e) {
      throw new FailureException(path + " cannot be made again: " + e.getMessage(), e);
    }
  }
}
