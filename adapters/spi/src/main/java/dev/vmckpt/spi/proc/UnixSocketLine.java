// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.proc;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A named UNIX socket as {@code /proc/PID/net/unix} tells it (unix(7)), which is one of the network
 * namespace of that process.
 *
 * <pre>
 * Num: RefCount Protocol Flags Type St Inode Path   St 03 is connected, flag 10000 listens
 * </pre>
 *
 * @param link what {@code /proc/PID/fd/N} points to: {@code socket:[INODE]}
 * @param listening whether it waits for callers
 * @param connected whether it has a peer
 * @param path as it was bound; of one that was accepted, that of the listening one
 */
public record UnixSocketLine(String link, boolean listening, boolean connected, String path) {
  private static final int COLUMNS = 8;
  private static final int FLAGS = 3;
  private static final int STATE = 5;
  private static final int INODE = 6;
  private static final int PATH = 7;
  private static final String ACCEPTS = "00010000";
  private static final String CONNECTED = "03";

  /** The named ones that a process could see; none if it cannot be looked at. */
  public static List<UnixSocketLine> seenBy(int pid) {
    try {
      byte[] table = Files.readAllBytes(Path.of("/proc/" + pid + "/net/unix"));
      return parse(new String(table, StandardCharsets.UTF_8));
    } catch (IOException e) {
      return List.of();
    }
  }

  /** The named ones of a table. */
  public static List<UnixSocketLine> parse(String table) {
    List<UnixSocketLine> all = new ArrayList<>();
    for (String line : table.split("\n", -1)) {
      String[] columns = line.strip().split(" +", COLUMNS);
      if (columns.length == COLUMNS && !columns[INODE].equals("Inode")) {
        all.add(
            new UnixSocketLine(
                "socket:[" + columns[INODE] + "]",
                columns[FLAGS].equals(ACCEPTS),
                columns[STATE].equals(CONNECTED),
                columns[PATH]));
      }
    }
    return all;
  }
}
