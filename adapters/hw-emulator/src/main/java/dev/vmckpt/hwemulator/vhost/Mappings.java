// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a process has mapped, by {@code /proc/PID/maps}. */
final class Mappings {
  /**
   * One of them.
   *
   * @param start its first address
   * @param end the address behind it
   * @param rights {@code rw-s}
   * @param offset where it begins in its file
   * @param device {@code 00:01}, of the file
   * @param inode of the file, 0 for none
   * @param name of the file, or {@code [heap]}, or empty
   */
  record Mapping(
      long start, long end, String rights, long offset, String device, long inode, String name) {
    boolean isShared() {
      return rights.endsWith("s") && inode != 0;
    }

    /** Memory that the process writes to by itself; a restored one has it from its image. */
    boolean isOwn() {
      return rights.equals("rw-p");
    }

    boolean isOfSameFile(Mapping other) {
      return inode == other.inode && device.equals(other.device);
    }
  }

  private final List<Mapping> all = new ArrayList<>();

  private Mappings() {}

  /** Those of a process; none if it cannot be looked at. */
  static Mappings of(int pid) {
    Mappings mappings = new Mappings();
    try {
      String text =
          new String(
              Files.readAllBytes(Path.of("/proc/" + pid + "/maps")), StandardCharsets.ISO_8859_1);
      for (String line : text.split("\n", -1)) {
        // 7f00-7f01 rw-s 00000000 00:01 1234   /memfd:x (deleted)
        String[] words = line.split(" +", 6);
        if (words.length >= 5) {
          int dash = words[0].indexOf('-');
          mappings.all.add(
              new Mapping(
                  Long.parseUnsignedLong(words[0].substring(0, dash), 16),
                  Long.parseUnsignedLong(words[0].substring(dash + 1), 16),
                  words[1],
                  Long.parseUnsignedLong(words[2], 16),
                  words[3],
                  Long.parseLong(words[4]),
                  words.length == 6 ? words[5] : ""));
        }
      }
    } catch (IOException e) {
      mappings.all.clear();
    }
    return mappings;
  }

  List<Mapping> all() {
    return all;
  }

  /** The one that holds a whole range; null if none does. */
  @Nullable Mapping holding(long address, long bytes) {
    for (Mapping each : all) {
      if (address >= each.start() && bytes <= each.end() - address && address < each.end()) {
        return each;
      }
    }
    return null;
  }

  /** Whether a file is among them. */
  boolean haveFileOf(Mapping other) {
    for (Mapping each : all) {
      if (each.isShared() && each.isOfSameFile(other)) {
        return true;
      }
    }
    return false;
  }
}
