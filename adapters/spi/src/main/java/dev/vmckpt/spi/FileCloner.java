// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.nio.file.Path;
import java.util.List;

/** Copies files: by sharing their blocks where the file system can (FICLONE), else sparsely. */
public interface FileCloner {
  /**
   * Whether {@code file} can share its blocks with a file in {@code folder}; leaves nothing behind.
   */
  boolean canReflink(Path file, Path folder);

  /**
   * Makes {@code to}, which must not exist, with the content of {@code from}, mode 0600.
   *
   * @param from may be a {@code /proc/PID/fd/N}
   * @return the bytes that had to be copied: 0 for a reflink, without holes otherwise
   * @throws dev.vmckpt.spi.error.VmckptException if it fails; {@code to} is gone then
   */
  long copy(Path from, Path to);

  /** The bytes a sparse copy of {@code file} would have to copy: its length without holes. */
  long dataBytes(Path file);

  /**
   * Where {@code file} holds data, in order: all else are holes, which read as zeros. A file system
   * that knows no holes has one range.
   *
   * @param file may be a {@code /proc/PID/fd/N}
   */
  List<FileRange> dataRanges(Path file);
}
