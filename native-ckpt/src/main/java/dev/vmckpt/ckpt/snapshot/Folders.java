// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/** Folders of our own. */
final class Folders {
  private Folders() {}

  /** Takes away everything in a folder; the folder stays. */
  static void empty(Path folder) throws IOException {
    try (Stream<Path> walk = Files.walk(folder)) {
      List<Path> paths = new ArrayList<>(walk.toList());
      Collections.reverse(paths);
      for (Path path : paths) {
        if (!path.equals(folder)) {
          Files.delete(path);
        }
      }
    }
  }
}
