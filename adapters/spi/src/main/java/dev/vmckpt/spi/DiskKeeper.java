// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.nio.file.Path;

/**
 * Somebody outside who can keep a file of the target as it was at one instant, while the target
 * goes on writing to it.
 */
public interface DiskKeeper {
  /**
   * Whether it can keep this file.
   *
   * @param file told by its device and inode
   */
  boolean keeps(FileStat file);

  /**
   * Plans to keep a file. It is begun when the outside has come to rest, right before the pause.
   *
   * @param to where it is kept: in the snapshot's folder, not there yet
   */
  Kept keep(FileStat file, Path to);

  /** A file that is being kept. */
  interface Kept {
    /**
     * Waits until it is whole and durable. Called when the target runs again.
     *
     * @throws dev.vmckpt.spi.error.FailureException if it could not be kept, and why
     */
    void await();
  }
}
