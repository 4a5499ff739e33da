// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.image.FileEntry;
import java.nio.file.Path;

/** Checks a file of pages, whose inside only the checkpointer knows. */
@FunctionalInterface
public interface PagesCheck {
  /**
   * Reads a file of pages in full.
   *
   * @param folder the folder of the snapshot
   * @param pagesFile its path in there
   * @param entry what the manifest says of it
   * @throws dev.vmckpt.spi.error.SnapshotException if it is not what was written
   */
  void verify(Path folder, String pagesFile, FileEntry entry, ProgressListener progress);
}
