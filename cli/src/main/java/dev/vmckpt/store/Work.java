// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import java.io.IOException;
import java.nio.file.Path;

/**
 * The folder a restored process works in: copies of disks it writes to. Closing it without {@link
 * #keep} removes it; one that was kept is removed when no process uses its files any more.
 */
public final class Work implements AutoCloseable {
  private final Path folder;
  private final Lock lock;
  private boolean kept;

  Work(Path folder, Lock lock) {
    this.folder = folder;
    this.lock = lock;
  }

  /** Absolute; it does not exist yet. */
  public Path folder() {
    return folder;
  }

  /** The restored process runs: leave it its files. */
  public void keep() {
    kept = true;
  }

  @Override
  public void close() {
    try {
      if (!kept) {
        Folders.deleteTree(folder);
      }
    } catch (IOException e) {
      // Nobody uses it: the next list, rm or restore removes it.
    } finally {
      lock.close();
    }
  }
}
