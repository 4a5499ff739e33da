// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.proc.UnixSockets;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a process in another mount namespace has open there, compared with the same paths here.
 * libvirt gives each QEMU a namespace with a /dev of its own, and otherwise the host's files: what
 * is all the same here can be opened here again.
 */
final class MountView {
  /** What the kernel says behind the name of a file that has none any more. */
  private static final String DELETED = " (deleted)";

  private MountView() {}

  /**
   * The paths that stand for another file here, sorted; the root itself as {@code /}.
   *
   * @param maps the text of its maps
   * @param directory its working directory
   */
  static Set<String> differences(
      int pid, String maps, List<DescriptorResource> descriptors, String directory) {
    Set<String> others = new TreeSet<>();
    Set<String> paths = new TreeSet<>(List.of("/", directory));
    for (ProcArea area : MapsParser.parse(maps)) {
      if (area.inode() != 0 && !area.deleted() && area.path().startsWith("/")) {
        paths.add(area.path());
      }
    }
    for (String path : paths) {
      if (!isSame(FileCalls.stat("/proc/" + pid + "/root" + path), path)) {
        others.add(path);
      }
    }
    for (DescriptorResource resource : descriptors) {
      String path = resource.link();
      // One without a name is opened by none again; others are no files.
      boolean named = path.startsWith("/") && !path.endsWith(DELETED);
      if (named && !isSame(resource.stat(), path)) {
        others.add(path);
      }
    }
    for (String socket : UnixSockets.bound(pid)) {
      Path folder = Path.of(socket).getParent();
      if (folder != null && folder.isAbsolute()) {
        FileStat there = FileCalls.stat("/proc/" + pid + "/root" + folder);
        // Its folder may be gone, and its file with it: it listens nowhere any more.
        if (there != null && !isSame(there, folder.toString())) {
          others.add(folder.toString());
        }
      }
    }
    return others;
  }

  private static boolean isSame(@Nullable FileStat there, String path) {
    FileStat here = FileCalls.stat(path);
    if (there == null || here == null) {
      return false;
    }
    if (there.isCharDevice() || there.isBlockDevice()) {
      return there.rdevice() == here.rdevice() && there.isCharDevice() == here.isCharDevice();
    }
    return there.device() == here.device() && there.inode() == here.inode();
  }
}
