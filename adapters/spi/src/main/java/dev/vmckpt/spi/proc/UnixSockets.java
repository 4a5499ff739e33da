// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.proc;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The named UNIX sockets of a process, by {@code /proc/PID/net/unix}.
 *
 * <pre>
 * Num: RefCount Protocol Flags Type St Inode Path   St 03 is connected
 * </pre>
 *
 * @param listening their paths as they were bound, by inode
 * @param connected of those that were accepted from one that listens, with its path, by inode
 */
public record UnixSockets(Map<String, String> listening, Map<String, String> connected) {
  private static final int COLUMNS = 8;
  private static final int STATE = 5;
  private static final int INODE = 6;
  private static final int PATH = 7;

  /** Those of a process; none if it cannot be looked at. */
  public static UnixSockets of(int pid) {
    try {
      Path table = Path.of("/proc/" + pid + "/net/unix");
      return parse(new String(Files.readAllBytes(table), StandardCharsets.UTF_8), links(pid));
    } catch (IOException e) {
      return new UnixSockets(Map.of(), Map.of());
    }
  }

  /**
   * Those of a table that have one of these links.
   *
   * @param links {@code socket:[INODE]}
   */
  public static UnixSockets parse(String table, Set<String> links) {
    Map<String, String> listening = new HashMap<>();
    Map<String, String> connected = new HashMap<>();
    for (String line : table.split("\n", -1)) {
      String[] columns = line.strip().split(" +", COLUMNS);
      if (columns.length == COLUMNS && links.contains(link(columns[INODE]))) {
        Map<String, String> which = columns[STATE].equals("03") ? connected : listening;
        which.put(columns[INODE], columns[PATH]);
      }
    }
    return new UnixSockets(listening, connected);
  }

  /** The links of those that were accepted from the one that listens at a path. */
  public Set<String> connectedAt(String path) {
    Set<String> found = new HashSet<>();
    connected.forEach(
        (inode, at) -> {
          if (at.equals(path)) {
            found.add(link(inode));
          }
        });
    return found;
  }

  private static String link(String inode) {
    return "socket:[" + inode + "]";
  }

  /** The path that a descriptor of the process listens at. */
  public static Optional<String> listeningAt(int pid, int fd) {
    String link = tryLink(Path.of("/proc/" + pid + "/fd/" + fd));
    return UnixSockets.of(pid).listening().entrySet().stream()
        .filter(each -> link(each.getKey()).equals(link))
        .map(Map.Entry::getValue)
        .findFirst();
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
