// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import dev.vmckpt.spi.image.FileIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Takes and checks the identity of a file that a snapshot refers to and does not hold. */
public final class FileIdentities {
  private FileIdentities() {}

  /** The identity of the file at a path. */
  public static FileIdentity of(Path path) throws IOException {
    return new FileIdentity(
        path.toString(),
        Files.size(path),
        Files.getLastModifiedTime(path).to(TimeUnit.NANOSECONDS));
  }

  /** What is wrong with the file now, or an empty text if it is the one that was seen. */
  public static String difference(FileIdentity expected) {
    try {
      FileIdentity found = of(Path.of(expected.path()));
      return found.equals(expected) ? "" : "it was changed since the snapshot";
    } catch (IOException e) {
      return "it is not there any more";
    }
  }
}
