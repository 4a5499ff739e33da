// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a QEMU has its blocks of guest memory.
 *
 * <p>{@code info ramblock} lists all of them, since QEMU 8.0 with their addresses. An older one
 * keeps them to itself, and {@code gpa2hva} knows only what the guest can see. But it has a {@code
 * struct RAMBlock} for each (include/exec/ramblock.h), laid out the same in all versions:
 *
 * <pre>
 *   -24  MemoryRegion *mr
 *   -16  uint8_t *host
 *    -8  uint8_t *colo_cache
 *     0  ram_addr_t offset, used_length, max_length     the three numbers of "info ramblock"
 *   +24  void (*resized)()
 *   +32  uint32_t flags
 *   +36  char idstr[256]                                the name of "info ramblock"
 * </pre>
 *
 * <p>Four facts that are known must be found side by side, and the fifth be the beginning of memory
 * that is mapped: nothing else looks like that, and two such places that differ are refused.
 */
final class RamBlocks {
  private static final int HOST = -16;
  private static final int NAME = 36;

  /** Chunks overlap by more than a structure, so that none is cut in two; a multiple of 8. */
  private static final int OVERLAP = 512;

  private static final int CHUNK = 1 << 20;
  private static final long MOST_SEARCHED = 256L << 20;
  private static final Pattern LINE =
      Pattern.compile(
          "\\s*(.*?)\\s+\\d+ [KMG]iB\\s+0x(\\p{XDigit}+)\\s+0x(\\p{XDigit}+)"
              + "\\s+0x(\\p{XDigit}+)(?:\\s+0x(\\p{XDigit}+).*)?");

  private RamBlocks() {}

  /**
   * A line of {@code info ramblock}.
   *
   * @param host where it lies, 0 if that is not said
   */
  record Line(String name, long offset, long used, long most, long host) {}

  /** The text of {@code info ramblock}. */
  static String ask(Qmp qmp) {
    return qmp.execute(
            "human-monitor-command", arguments -> arguments.put("command-line", "info ramblock"))
        .asText();
  }

  /** Reads that text; a block without a name does not migrate and is left out. */
  static List<Line> parse(String text) {
    List<Line> lines = new ArrayList<>();
    for (String line : text.split("\\r?\\n", -1)) {
      Matcher matcher = LINE.matcher(line);
      if (matcher.matches() && !matcher.group(1).isEmpty()) {
        lines.add(
            new Line(
                matcher.group(1),
                hex(matcher.group(2)),
                hex(matcher.group(3)),
                hex(matcher.group(4)),
                matcher.group(5) == null ? 0 : hex(matcher.group(5))));
      }
    }
    return lines;
  }

  private static long hex(String digits) {
    return Long.parseUnsignedLong(digits, 16);
  }

  /**
   * Finds every block.
   *
   * @param text of {@code info ramblock}
   * @throws RefusedException naming those that cannot be found
   */
  static List<RamBlock> find(int pid, String text) {
    List<RamBlock> found = new ArrayList<>();
    List<Line> sought = new ArrayList<>();
    for (Line line : parse(text)) {
      if (line.host() != 0) {
        found.add(block(line, line.host()));
      } else {
        sought.add(line);
      }
    }
    if (!sought.isEmpty()) {
      try (ProcessMemory memory = ProcessMemory.open(pid, false)) {
        found.addAll(search(memory, sought));
      }
    }
    return found;
  }

  private static RamBlock block(Line line, long host) {
    return new RamBlock(line.name(), line.used(), line.most(), new RemoteAddress(host));
  }

  private static List<RamBlock> search(ProcessMemory memory, List<Line> sought) {
    List<ProcessMemory.Area> areas = memory.areas();
    List<ProcessMemory.Area> order = new ArrayList<>();
    for (ProcessMemory.Area area : areas) {
      boolean anonymous = area.name().isEmpty() || area.name().startsWith("[heap]");
      if (area.access().startsWith("rw")
          && anonymous
          && area.end() - area.start() <= MOST_SEARCHED) {
        order.add(area);
      }
    }
    // The heap of the first thread is where QEMU makes them: mostly nothing else is read.
    order.sort(Comparator.comparing(area -> !area.name().startsWith("[heap]")));
    List<Set<Long>> hosts = new ArrayList<>();
    for (int i = 0; i < sought.size(); i++) {
      hosts.add(new TreeSet<>());
    }
    for (ProcessMemory.Area area : order) {
      scan(memory, area, areas, sought, hosts);
      if (hosts.stream().noneMatch(Set::isEmpty)) {
        break;
      }
    }
    List<RamBlock> found = new ArrayList<>();
    List<Refusal> refusals = new ArrayList<>();
    for (int i = 0; i < sought.size(); i++) {
      if (hosts.get(i).size() == 1) {
        found.add(block(sought.get(i), hosts.get(i).iterator().next()));
      } else {
        refusals.add(
            new Refusal(
                "memory " + sought.get(i).name(),
                "where this QEMU has it was not found",
                "snapshot it without --machine, or use QEMU 8.0 or newer, which says it"));
      }
    }
    RefusedException.throwIfAny("a machine of QEMU", refusals);
    return found;
  }

  private static void scan(
      ProcessMemory memory,
      ProcessMemory.Area area,
      List<ProcessMemory.Area> areas,
      List<Line> sought,
      List<Set<Long>> hosts) {
    ByteBuffer buffer = ByteBuffer.allocate(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
    for (long at = area.start(); at < area.end(); at += CHUNK - OVERLAP) {
      buffer.clear().limit((int) Math.min(CHUNK, area.end() - at));
      if (!memory.tryRead(at, buffer)) {
        return;
      }
      buffer.flip();
      for (int place = -HOST; place + NAME + 1 < buffer.limit(); place += Long.BYTES) {
        for (int i = 0; i < sought.size(); i++) {
          long host = hostAt(buffer, place, sought.get(i));
          if (host != 0 && isMapped(areas, host, sought.get(i).used())) {
            hosts.get(i).add(host);
          }
        }
      }
    }
  }

  /** The address in the structure whose numbers begin at a place; 0 if there is none. */
  private static long hostAt(ByteBuffer buffer, int place, Line line) {
    if (buffer.getLong(place) != line.offset()
        || buffer.limit() - place < 3 * Long.BYTES
        || buffer.getLong(place + Long.BYTES) != line.used()
        || buffer.getLong(place + 2 * Long.BYTES) != line.most()) {
      return 0;
    }
    byte[] name = line.name().getBytes(StandardCharsets.UTF_8);
    if (place + NAME + name.length >= buffer.limit()
        || buffer.get(place + NAME + name.length) != 0) {
      return 0;
    }
    for (int i = 0; i < name.length; i++) {
      if (buffer.get(place + NAME + i) != name[i]) {
        return 0;
      }
    }
    return buffer.getLong(place + HOST);
  }

  private static boolean isMapped(List<ProcessMemory.Area> areas, long host, long bytes) {
    long at = host;
    for (ProcessMemory.Area area : areas) {
      if (area.start() <= at && at < area.end() && area.access().startsWith("r")) {
        at = area.end();
      }
    }
    return at != host && at - host >= bytes;
  }
}
