// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.proc;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The named UNIX sockets of a process, by {@link UnixSocketLine}. */
public final class UnixSockets {
  private UnixSockets() {}

  private static List<UnixSocketLine> of(int pid) {
    Set<String> links = links(pid);
    List<UnixSocketLine> own = new ArrayList<>();
    for (UnixSocketLine socket : UnixSocketLine.seenBy(pid)) {
      if (links.contains(socket.link())) {
        own.add(socket);
      }
    }
    return own;
  }

  /** The paths it listens or is bound at, as they were bound. */
  public static List<String> bound(int pid) {
    List<String> paths = new ArrayList<>();
    for (UnixSocketLine socket : of(pid)) {
      if (!socket.connected()) {
        paths.add(socket.path());
      }
    }
    return paths;
  }

  /** The paths at which it has callers. */
  public static List<String> held(int pid) {
    List<String> paths = new ArrayList<>();
    for (UnixSocketLine socket : of(pid)) {
      if (socket.connected()) {
        paths.add(socket.path());
      }
    }
    return paths;
  }

  /** The links of those that were accepted from the one that listens at a path. */
  public static Set<String> connectedAt(int pid, String path) {
    Set<String> found = new HashSet<>();
    for (UnixSocketLine socket : of(pid)) {
      if (socket.connected() && socket.path().equals(path)) {
        found.add(socket.link());
      }
    }
    return found;
  }

  /** The path that a descriptor of the process listens at. */
  public static Optional<String> listeningAt(int pid, int fd) {
    String link = tryLink(Path.of("/proc/" + pid + "/fd/" + fd));
    for (UnixSocketLine socket : UnixSocketLine.seenBy(pid)) {
      if (socket.listening() && socket.link().equals(link)) {
        return Optional.of(socket.path());
      }
    }
    return Optional.empty();
  }

  /** The links of all sockets of a process. */
  public static Set<String> links(int pid) {
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
