// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.spi.proc.UnixSocketLine;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The UNIX sockets of a process. */
final class UnixSockets {
  private UnixSockets() {}

  /** The paths at which it has callers. */
  static List<String> held(int pid) {
    Set<String> links = links(pid);
    List<String> paths = new ArrayList<>();
    for (UnixSocketLine socket : UnixSocketLine.seenBy(pid)) {
      if (socket.connected() && links.contains(socket.link())) {
        paths.add(socket.path());
      }
    }
    return paths;
  }

  /** The path that a descriptor of the process listens at. */
  static Optional<String> listeningAt(int pid, int fd) {
    String link = tryLink(Path.of("/proc/" + pid + "/fd/" + fd));
    for (UnixSocketLine socket : UnixSocketLine.seenBy(pid)) {
      if (socket.listening() && socket.link().equals(link)) {
        return Optional.of(socket.path());
      }
    }
    return Optional.empty();
  }

  /** The links of all sockets of a process. */
  static Set<String> links(int pid) {
    Set<String> found = new HashSet<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
      for (Path each : all) {
        String link = tryLink(each);
        if (link.startsWith("socket:")) {
          found.add(link);
        }
      }
    } catch (IOException e) {
      // Who cannot look there cannot save it either, and will be told by others.
    }
    return found;
  }

  private static String tryLink(Path path) {
    try {
      return Files.readSymbolicLink(path).toString();
    } catch (IOException closed) {
      return "";
    }
  }
}
