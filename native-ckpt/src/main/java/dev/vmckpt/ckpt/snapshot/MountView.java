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

/**
 * What a process in another mount namespace has open there, compared with the same paths here.
 * libvirt gives each QEMU a namespace with a /dev of its own, and otherwise the host's files: what
 * is all the same here can be opened here again.
 */
final class MountView {
  private MountView() {}

  /**
   * The paths that stand for another file here, sorted; the root itself as {@code /}.
   *
   * @param maps the text of its maps
   * @param directory its working directory
   */
  static Set<String> differences(
      int pid, String maps, List<DescriptorResource> descriptors, String directory) {
    Set<String> paths = new TreeSet<>(List.of("/", directory));
    for (ProcArea area : MapsParser.parse(maps)) {
      if (area.inode() != 0 && !area.deleted()) {
        paths.add(area.path());
      }
    }
    for (DescriptorResource resource : descriptors) {
      paths.add(resource.link());
    }
    for (String socket : UnixSockets.of(pid).listening().values()) {
      Path folder = Path.of(socket).getParent();
      paths.add(folder == null ? directory : folder.toString());
    }
    // Others are no paths, or relative to the directory, which is compared.
    paths.removeIf(path -> !path.startsWith("/") || isSame(pid, path));
    return paths;
  }

  private static boolean isSame(int pid, String path) {
    FileStat there = FileCalls.stat("/proc/" + pid + "/root" + path);
    FileStat here = FileCalls.stat(path);
    if (there == null) {
      // Without a name, so that nobody opens it by one again.
      return true;
    }
    if (here == null) {
      return false;
    }
    boolean device = there.isCharDevice() || there.isBlockDevice();
    return device
        ? there.rdevice() == here.rdevice() && there.isCharDevice() == here.isCharDevice()
        : there.device() == here.device() && there.inode() == here.inode();
  }
}
