// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.DescriptorResource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file as it was found before the pause.
 *
 * @param resource the descriptor
 * @param kind what becomes of it
 * @param copy what keeps its content, if something does
 * @param index which holder of that copy it is, from 0
 * @param source {@code /proc/PID/fd/N}
 * @param mode its permissions
 * @param user its owner
 * @param group its group
 */
record PlannedFile(
    DescriptorResource resource,
    FileKind<?> kind,
    @Nullable DiskCopy copy,
    int index,
    Path source,
    int mode,
    int user,
    int group) {
  private static final int PERMISSIONS = 07777;

  static PlannedFile of(DescriptorResource resource, FileKind<?> kind, @Nullable DiskCopy copy) {
    Path source = Path.of(resource.procPath());
    int user = 0;
    int group = 0;
    try {
      Map<String, Object> owner = Files.readAttributes(source, "unix:uid,gid");
      user = owner.get("uid") instanceof Integer uid ? uid : 0;
      group = owner.get("gid") instanceof Integer gid ? gid : 0;
    } catch (IOException e) {
      // Closed since it was claimed; reading it in the pause will say so.
    }
    int index = copy == null ? 0 : copy.addHolder();
    int mode = resource.stat().mode() & PERMISSIONS;
    return new PlannedFile(resource, kind, copy, index, source, mode, user, group);
  }

  /** The copy of a kind that keeps its content. */
  DiskCopy keptCopy() {
    if (copy == null) {
      throw new IllegalStateException("no copy of " + resource.name());
    }
    return copy;
  }
}
