// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.ckpt.memory.SavedMemory;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.MemoryRegion;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The physical memory of a guest: each of its addresses is one of the process, and that is looked
 * up in the snapshot. What only system management mode sees is left out.
 */
public final class GuestMemory {
  private final SavedMemory memory;
  private final TreeMap<Long, MemoryRegion> regions = new TreeMap<>();
  private final List<GuestRange> present = new ArrayList<>();
  private final List<GuestRange> absent = new ArrayList<>();

  /** The memory is used, and not closed. */
  public GuestMemory(GuestImage guest, SavedMemory memory) {
    this.memory = memory;
    for (MemoryRegion region : guest.memory()) {
      if (region.addressSpace() == 0) {
        regions.put(region.gpa(), region);
      }
    }
    for (MemoryRegion region : regions.values()) {
      look(region);
    }
  }

  private void look(MemoryRegion region) {
    for (long done = 0; done < region.bytes(); ) {
      SavedMemory.Span span = memory.at(region.hva().plus(done));
      long bytes = Math.min(span.bytes(), region.bytes() - done);
      List<GuestRange> ranges = span.mapped() ? present : absent;
      long gpa = region.gpa() + done;
      int last = ranges.size() - 1;
      if (last >= 0 && ranges.get(last).end() == gpa) {
        ranges.set(last, new GuestRange(ranges.get(last).gpa(), ranges.get(last).bytes() + bytes));
      } else {
        ranges.add(new GuestRange(gpa, bytes));
      }
      done += bytes;
    }
  }

  /** Where the guest has memory, ascending; ranges that touch are one. */
  public List<GuestRange> present() {
    return List.copyOf(present);
  }

  /** Where a slot says there is memory and the process had none. */
  public List<GuestRange> absent() {
    return List.copyOf(absent);
  }

  /** What keeps its memory from being read: files that were changed since, each once. */
  public List<Refusal> obstacles() {
    Set<Refusal> refusals = new LinkedHashSet<>();
    for (MemoryRegion region : regions.values()) {
      refusals.addAll(memory.obstacles(region.hva(), region.bytes()));
    }
    return List.copyOf(refusals);
  }

  /** Whether there is memory at every address of a range. */
  public boolean holds(long gpa, long bytes) {
    int index = firstEndingBehind(gpa);
    return index < present.size()
        && present.get(index).gpa() <= gpa
        && bytes <= present.get(index).end() - gpa;
  }

  /** What there is of a range, ascending. */
  List<GuestRange> within(long gpa, long bytes) {
    List<GuestRange> parts = new ArrayList<>(1);
    for (int i = firstEndingBehind(gpa); i < present.size(); i++) {
      long start = Math.max(gpa, present.get(i).gpa());
      long end = Math.min(gpa + bytes, present.get(i).end());
      if (start >= end) {
        break;
      }
      parts.add(new GuestRange(start, end - start));
    }
    return parts;
  }

  private int firstEndingBehind(long gpa) {
    int low = 0;
    int high = present.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (present.get(middle).end() <= gpa) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /**
   * Reads as much as the buffer has room for. Where there is no memory there are zeros.
   *
   * @return false if it is all zeros and the snapshot says so without being read
   */
  public boolean read(long gpa, ByteBuffer to) {
    boolean any = false;
    for (long at = gpa; to.hasRemaining(); ) {
      MemoryRegion region = regionAt(at);
      Long next = regions.higherKey(at);
      long bytes = region != null ? region.end() - at : next == null ? Long.MAX_VALUE : next - at;
      int length = (int) Math.min(bytes, to.remaining());
      ByteBuffer part = to.duplicate();
      part.limit(part.position() + length);
      if (region == null) {
        part.put(new byte[length]);
      } else {
        RemoteAddress hva = region.hva().plus(at - region.gpa());
        any |= memory.read(hva, part);
      }
      to.position(to.position() + length);
      at += length;
    }
    return any;
  }

  private @Nullable MemoryRegion regionAt(long gpa) {
    Map.Entry<Long, MemoryRegion> entry = regions.floorEntry(gpa);
    return entry != null && gpa < entry.getValue().end() ? entry.getValue() : null;
  }
}
