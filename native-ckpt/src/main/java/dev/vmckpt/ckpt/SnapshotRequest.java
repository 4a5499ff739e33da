// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.spi.image.CaptureFacts;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is to be saved.
 *
 * @param pid the target
 * @param folder the folder to write into: exists, empty, absolute, mode 0700
 * @param drops names of resources to leave out, for example {@code fd:12}
 * @param method how memory must be captured, or null for the best that is possible
 * @param rehearse whether to rehearse the frozen part on a throwaway process first
 * @param options what the user wishes of adapters, by their words
 */
public record SnapshotRequest(
    int pid,
    Path folder,
    Set<String> drops,
    CaptureFacts.@Nullable Method method,
    boolean rehearse,
    Map<String, String> options) {
  /** Without wishes for adapters. */
  public SnapshotRequest(
      int pid,
      Path folder,
      Set<String> drops,
      CaptureFacts.@Nullable Method method,
      boolean rehearse) {
    this(pid, folder, drops, method, rehearse, Map.of());
  }
}
