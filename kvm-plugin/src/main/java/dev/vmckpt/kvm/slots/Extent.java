// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Areas of the target without a gap between them: a slot's memory lies within one extent.
 *
 * @param start its first address
 * @param end the address behind it
 * @param borders where its areas begin and end, ascending; {@code start} and {@code end} among them
 */
record Extent(long start, long end, List<Long> borders) {
  long bytes() {
    return end - start;
  }

  /**
   * The extents of areas, ascending.
   *
   * @param likely whether to leave out areas in which guest memory is not usually found
   */
  static List<Extent> of(List<Area> areas, boolean likely) {
    List<Extent> extents = new ArrayList<>();
    TreeSet<Long> borders = new TreeSet<>();
    for (Area area : areas) {
      if (!area.readable() || (likely && !area.likely())) {
        continue;
      }
      if (!borders.isEmpty() && borders.last() != area.start()) {
        extents.add(new Extent(borders.first(), borders.last(), List.copyOf(borders)));
        borders.clear();
      }
      borders.add(area.start());
      borders.add(area.end());
    }
    if (!borders.isEmpty()) {
      extents.add(new Extent(borders.first(), borders.last(), List.copyOf(borders)));
    }
    return extents;
  }

  /**
   * Adds what is left of it when a range is taken out.
   *
   * @param from the first address of the range
   * @param to the address behind it
   */
  void without(long from, long to, List<Extent> left) {
    if (to <= start || from >= end) {
      left.add(this);
      return;
    }
    if (from > start) {
      left.add(new Extent(start, from, List.of(start, from)));
    }
    if (to < end) {
      left.add(new Extent(to, end, List.of(to, end)));
    }
  }
}
