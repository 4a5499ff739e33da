// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import java.util.ArrayList;
import java.util.List;

/**
 * An area of the target's address space, a place where a slot's memory may lie.
 *
 * @param start its first address
 * @param end the address behind it
 * @param readable PROT_READ: guest memory always is
 * @param likely whether guest memory usually is of this kind: no private mapping of a file that
 *     cannot be written (a library), no stack
 */
public record Area(long start, long end, boolean readable, boolean likely) {

  /** Its length in bytes. */
  public long bytes() {
    return end - start;
  }

  /**
   * The areas in ascending order.
   *
   * @param mapsText {@code /proc/PID/maps} (proc_pid_maps(5))
   * @throws IllegalArgumentException if a line is not of that form
   */
  public static List<Area> parse(String mapsText) {
    List<Area> areas = new ArrayList<>();
    mapsText.lines().forEach(line -> areas.add(ofLine(line)));
    return areas;
  }

  private static Area ofLine(String line) {
    String[] words = line.split(" +", 6);
    int dash = words[0].indexOf('-');
    if (words.length < 5 || dash < 0 || words[1].length() != 4) {
      throw new IllegalArgumentException("not a line of maps: " + line);
    }
    String path = words.length > 5 ? words[5] : "";
    boolean shared = words[1].charAt(3) == 's';
    boolean ofFile = path.startsWith("/") && !path.startsWith("/memfd:");
    boolean kernels = path.startsWith("[") && !path.startsWith("[anon") && !path.equals("[heap]");
    // In a restored process memory that was anonymous is the snapshot's, until it is written.
    boolean writable = words[1].charAt(1) == 'w';
    return new Area(
        Long.parseUnsignedLong(words[0].substring(0, dash), 16),
        Long.parseUnsignedLong(words[0].substring(dash + 1), 16),
        words[1].charAt(0) == 'r',
        !kernels && (shared || writable || !ofFile));
  }
}
