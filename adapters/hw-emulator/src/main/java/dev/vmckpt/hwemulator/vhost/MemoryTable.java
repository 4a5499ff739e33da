// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import dev.vmckpt.hwemulator.vhost.Mappings.Mapping;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteProcess;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The table of the guest's memory that QEMU keeps for its backends. QEMU tells it to nobody but
 * them, each part once; so it is searched for in QEMU's own memory, where it stands in the form the
 * kernel's vhost devices take it in (struct vhost_memory of linux/vhost_types.h):
 *
 * <pre>
 * table    0 how many, 32 bits  4 zeros  8 regions
 * region   0 guest address 8 size 16 user address 24 zeros
 * </pre>
 *
 * <p>Hardly anything else can look so: every user address must lie, with its whole size, in one
 * mapping of the process. What was found is read again in the pause.
 */
final class MemoryTable {
  private static final int HEADER = 8;
  private static final int REGION = 32;
  private static final int MOST_REGIONS = 64;
  private static final long PAGE_MASK = 4095;
  private static final int PIECE = 1 << 20;
  private static final int OVERLAP = HEADER + MOST_REGIONS * REGION;

  /** The heap of no QEMU is larger; its guest's memory mostly is. */
  private static final long MOST_AREA = 64 << 20;

  private final Map<RemoteAddress, byte[]> found;
  private final List<VhostImage.Region> regions;

  private MemoryTable(Map<RemoteAddress, byte[]> found, List<VhostImage.Region> regions) {
    this.found = found;
    this.regions = regions;
  }

  /** What is shared of it. */
  List<VhostImage.Region> regions() {
    return regions;
  }

  /** Whether it still stands where it was found. Stands in the pause. */
  boolean isSame(RemoteProcess target) {
    for (Map.Entry<RemoteAddress, byte[]> each : found.entrySet()) {
      if (!Arrays.equals(target.read(each.getKey(), each.getValue().length), each.getValue())) {
        return false;
      }
    }
    return true;
  }

  /** Whether a backend has been given any of it. */
  static boolean isGiven(int pid, int backend) {
    Mappings theirs = Mappings.of(backend);
    for (Mapping each : Mappings.of(pid).all()) {
      if (each.isShared() && theirs.haveFileOf(each)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Searches.
   *
   * @param target the running target, which does not change it unless its guest's memory changes
   * @throws FailureException if there is none, or not only one
   */
  static MemoryTable find(RemoteProcess target, int pid) {
    Mappings mappings = Mappings.of(pid);
    Map<RemoteAddress, byte[]> found = new LinkedHashMap<>();
    for (Mapping area : mappings.all()) {
      if (area.isOwn() && area.end() - area.start() <= MOST_AREA) {
        search(target, area, mappings, found);
      }
    }
    byte[] first = null;
    for (byte[] each : found.values()) {
      if (first != null && !Arrays.equals(first, each)) {
        throw new FailureException(
            "QEMU has more than one table of its guest's memory, and which of them its backend has"
                + " cannot be told");
      }
      first = each;
    }
    if (first == null) {
      throw new FailureException(
          "what QEMU has told its backend of the guest's memory is not to be found");
    }
    return new MemoryTable(found, shared(first, mappings, pid));
  }

  private static void search(
      RemoteProcess target, Mapping area, Mappings mappings, Map<RemoteAddress, byte[]> found) {
    for (long from = area.start(); from < area.end(); from += PIECE) {
      int length = (int) Math.min(PIECE + (long) OVERLAP, area.end() - from);
      byte[] piece = target.read(new RemoteAddress(from), length);
      ByteBuffer words = ByteBuffer.wrap(piece).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < PIECE && at + HEADER + REGION <= length; at += Long.BYTES) {
        long count = words.getLong(at);
        if (count > 0
            && count <= MOST_REGIONS
            && at + HEADER + count * REGION <= length
            && isTable(words, at + HEADER, (int) count, mappings)) {
          int end = at + HEADER + (int) count * REGION;
          found.put(new RemoteAddress(from + at), Arrays.copyOfRange(piece, at, end));
        }
      }
    }
  }

  private static boolean isTable(ByteBuffer words, int at, int count, Mappings mappings) {
    boolean shared = false;
    for (int i = 0; i < count; i++) {
      int region = at + i * REGION;
      long guest = words.getLong(region);
      long bytes = words.getLong(region + 8);
      long user = words.getLong(region + 16);
      if (((guest | bytes | user) & PAGE_MASK) != 0
          || bytes <= 0
          || guest < 0
          || user <= 0
          || words.getLong(region + 24) != 0) {
        return false;
      }
      Mapping mapping = mappings.holding(user, bytes);
      if (mapping == null) {
        return false;
      }
      shared |= mapping.isShared();
    }
    return shared;
  }

  /** QEMU gives its backends only what has a descriptor. */
  private static List<VhostImage.Region> shared(byte[] table, Mappings mappings, int pid) {
    ByteBuffer words = ByteBuffer.wrap(table).order(ByteOrder.LITTLE_ENDIAN);
    List<VhostImage.Region> regions = new ArrayList<>();
    for (int at = HEADER; at < table.length; at += REGION) {
      long bytes = words.getLong(at + 8);
      long user = words.getLong(at + 16);
      Mapping mapping = Objects.requireNonNull(mappings.holding(user, bytes));
      if (mapping.isShared()) {
        Integer descriptor = descriptor(pid, mapping);
        if (descriptor == null) {
          throw new FailureException(
              "the guest's memory at 0x" + Long.toHexString(user) + " has no descriptor any more");
        }
        long offset = user - mapping.start() + mapping.offset();
        regions.add(new VhostImage.Region(words.getLong(at), bytes, user, offset, descriptor));
      }
    }
    return List.copyOf(regions);
  }

  /** The lowest number that a mapped file is open at. */
  private static @Nullable Integer descriptor(int pid, Mapping mapping) {
    String folder = "/proc/" + pid + "/fd";
    String[] names = new File(folder).list();
    Integer lowest = null;
    for (String name : names == null ? new String[0] : names) {
      int number = Integer.parseInt(name);
      if ((lowest == null || number < lowest) && isFileOf(Path.of(folder, name), mapping)) {
        lowest = number;
      }
    }
    return lowest;
  }

  private static boolean isFileOf(Path descriptor, Mapping mapping) {
    try {
      long device = ((Number) Files.getAttribute(descriptor, "unix:dev")).longValue();
      long inode = ((Number) Files.getAttribute(descriptor, "unix:ino")).longValue();
      // As the C library puts a device number together, and /proc/PID/maps takes it apart.
      long major = (device >>> 8 & 0xfff) | (device >>> 32 & ~0xfffL);
      long minor = (device & 0xff) | (device >>> 12 & 0xffffff00L);
      String name =
          (major < 16 ? "0" : "")
              + Long.toHexString(major)
              + (minor < 16 ? ":0" : ":")
              + Long.toHexString(minor);
      return inode == mapping.inode() && name.equals(mapping.device());
    } catch (IOException closed) {
      return false;
    }
  }
}
