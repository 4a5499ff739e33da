// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.slots.Quest.Found;
import dev.vmckpt.kvm.slots.Quest.Shape;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds places and sizes of the slots of one address space, likely ones first.
 *
 * <p>Place and size of a slot have to be right together, so one of them must be known. Sizes come
 * from what is occupied: a range that is one slot tells it, a range of several tells the sum; and
 * KVM tells the size of a slot whose writes are logged. Places come from where areas of the target
 * begin and end and where slots that were found do. Whatever is found makes more of both known, so
 * it begins anew then. What is known on one side only is looked for by steps of 2 MiB, 64 KiB and a
 * page. What is known on neither is tried where little is occupied, and else found by luck alone:
 * two neighbours in guest memory, both from the middle of an area, the first of them not ending
 * where anything known begins.
 */
final class SpaceSearch {
  private static final long HUGE_PAGE = 2 << 20;

  private static final List<Long> COARSE = List.of(HUGE_PAGE);
  private static final List<Long> FINE = List.of(64L << 10, SlotCalls.PAGE);

  /** Up to so much occupied memory is looked through page by page without need. */
  private static final long SMALL = 128L << 20;

  /** Up to so many pages a slot is looked for page by page where one may begin. */
  private static final long CUT_PAGES = 1024;

  /** Areas of so much may be a machine's first memory. */
  private static final long LARGE = 16L << 20;

  private static final int MOST_SIZES = 400;

  /** Up to so much occupied memory any cut into slots is tried. */
  private static final long SMALL_RUN = 64 * SlotCalls.PAGE;

  /** A place or a size that is stepped through. */
  private record Sweep(boolean sizes, Shape first, long step, long count) {}

  private final Quest quest;
  private final Occupancy occupancy;
  private final List<Extent> likely;
  private final List<Extent> all;
  private final Set<Sweep> swept = new HashSet<>();
  private List<Range> runs;
  private boolean thorough;
  private boolean wary;

  /**
   * @param runs what is occupied, roughly, without the peg
   */
  SpaceSearch(Quest quest, Occupancy occupancy, List<Range> runs, List<Area> areas) {
    this.quest = quest;
    this.occupancy = occupancy;
    this.runs = runs;
    likely = Extent.of(areas, true);
    all = Extent.of(areas, false);
  }

  /** What is occupied, as well as it is known. */
  List<Range> runs() {
    return runs;
  }

  /** Looks at what is occupied page by page, if that was not done. */
  void lookThoroughly() {
    if (!thorough) {
      thorough = true;
      runs = occupancy.thorough(runs);
    }
  }

  /** Searches until all are found or nothing more can be tried. */
  void search() {
    if (runs.stream().mapToLong(Range::bytes).sum() <= SMALL) {
      lookThoroughly();
    }
    while (!quest.done() && !quest.exhausted()) {
      if (!step()) {
        return;
      }
    }
  }

  private boolean step() {
    Collection<Long> sizes = sizes();
    Collection<Long> differences = differences();
    if (anchored(likely, sizes)
        || continued()
        || anchored(likely, differences)
        || anchored(all, sizes)
        || becameWary()
        || sweep(ofPlaces(COARSE, uncovered(), sizes))
        || sweep(ofPlaces(COARSE, uncovered(), differences))
        || sweep(ofSizes(COARSE))) {
      return true;
    }
    List<Range> before = runs;
    lookThoroughly();
    return !before.equals(runs)
        || anchored(all, smallSizes())
        || finely(sizes)
        || anchored(all, differences)
        || sweep(ofPlaces(FINE, uncovered(), differences))
        || sweep(ofPlaces(FINE, all, sizes))
        || sweep(ofPlaces(List.of(SlotCalls.PAGE), uncovered(), smallSizes()));
  }

  /**
   * From now on no range counts as taken where memory may go on, as a slot that has the size of one
   * range may be a part of another: a PC of 6 GiB has 3 of them below the fourth GiB, cut into
   * several slots, and 3 above, where firmware lies at their side.
   *
   * @return whether that is new
   */
  private boolean becameWary() {
    boolean before = wary;
    wary = true;
    return !before;
  }

  /**
   * Steps by pages: places for the sizes that are known and sizes for the places that are known
   * together, so that no long way is gone, and the calls spent on it, where a short one leads
   * there.
   */
  private boolean finely(Collection<Long> sizes) {
    List<Sweep> sweeps = ofPlaces(FINE, uncovered(), sizes);
    sweeps.addAll(ofSizes(FINE));
    return sweep(sweeps);
  }

  /** What is occupied and not all of it by one of the slots found so far, as far as is known. */
  private List<Range> untaken() {
    Map<Long, Integer> found = new HashMap<>();
    quest.found().forEach(each -> found.merge(each.bytes(), 1, Integer::sum));
    Map<Long, Integer> occupied = new HashMap<>();
    runs.forEach(each -> occupied.merge(each.bytes(), 1, Integer::sum));
    // Of two ranges of one size, one may be a slot of that size and the other two smaller ones.
    return runs.stream()
        .filter(
            each -> found.getOrDefault(each.bytes(), 0) < occupied.getOrDefault(each.bytes(), 0))
        .toList();
  }

  /** Sizes that an open slot has if what is occupied there is one slot, or is told by KVM. */
  private Collection<Long> sizes() {
    Set<Long> sizes = new LinkedHashSet<>(quest.toldSizes());
    List<Found> found = quest.found();
    if (quest.open().size() == 1) {
      // The last one is what the others leave.
      long rest = runs.stream().mapToLong(Range::bytes).sum();
      sizes.add(rest - found.stream().mapToLong(Found::bytes).sum());
    }
    untaken().forEach(each -> sizes.add(each.bytes()));
    return possible(sizes);
  }

  /**
   * Sizes that are left of what is occupied when one or two slots that were found lie there, and
   * those of slots that were found.
   */
  private Collection<Long> differences() {
    Set<Long> sizes = new LinkedHashSet<>();
    List<Long> found = quest.found().stream().map(Found::bytes).distinct().toList();
    for (Range run : runs) {
      found.forEach(each -> sizes.add(run.bytes() - each));
    }
    for (Range run : runs) {
      for (int i = 0; i < found.size(); i++) {
        for (int j = i; j < found.size() && sizes.size() < MOST_SIZES; j++) {
          sizes.add(run.bytes() - found.get(i) - found.get(j));
        }
      }
    }
    sizes.addAll(found);
    return possible(sizes);
  }

  /** All sizes that slots can have which lie side by side in little memory. */
  private Collection<Long> smallSizes() {
    Set<Long> sizes = new LinkedHashSet<>();
    for (Range run : untaken()) {
      for (long size = SlotCalls.PAGE;
          size <= run.bytes() && run.bytes() <= SMALL_RUN;
          size += SlotCalls.PAGE) {
        sizes.add(size);
      }
    }
    return possible(sizes);
  }

  /** Places where memory is likely that belongs to no slot found so far. */
  private List<Extent> uncovered() {
    List<Extent> left = likely;
    for (Found found : quest.found()) {
      List<Extent> next = new ArrayList<>();
      for (Extent each : left) {
        each.without(found.hva(), found.end(), next);
      }
      left = next;
    }
    return left;
  }

  private Collection<Long> possible(Set<Long> sizes) {
    return sizes.stream()
        .filter(each -> each > 0 && each <= SlotCalls.MOST_BYTES && quest.possible(each))
        .toList();
  }

  /** Tries sizes at the places that are known. */
  private boolean anchored(List<Extent> extents, Collection<Long> sizes) {
    List<Shape> shapes = new ArrayList<>();
    for (long size : sizes) {
      for (Extent extent : extents) {
        if (extent.bytes() >= size) {
          places(extent, size, shapes);
        }
      }
    }
    return quest.tryShapes(shapes);
  }

  private void places(Extent extent, long size, List<Shape> shapes) {
    Set<Long> places = new LinkedHashSet<>();
    for (long border : extent.borders()) {
      places.add(border);
      places.add(border - size);
      places.add(up(border, HUGE_PAGE));
      places.add(up(border, 1L << 30));
    }
    for (Found found : quest.found()) {
      places.add(found.end());
      places.add(found.hva() - size);
      places.add(found.hva());
      places.add(found.end() - size);
    }
    for (long place : places) {
      if (place >= extent.start() && place <= extent.end() - size) {
        shapes.add(new Shape(place, size));
      }
    }
  }

  /**
   * Goes through what is occupied by several slots from its beginning on, where memory of the
   * target may go on as the guest's addresses do: slots into which one piece of memory was cut. So
   * are the first MiB of a PC, at the pages where firmware protects parts of itself.
   */
  private boolean continued() {
    List<Found> found = quest.found();
    List<Shape> rests = new ArrayList<>();
    List<Sweep> sweeps = new ArrayList<>();
    for (Range run : wary ? runs : untaken()) {
      for (long delta : deltas(found)) {
        long gpa = run.start();
        for (boolean on = true; on; ) {
          long place = gpa + delta;
          Found next = found.stream().filter(each -> each.hva() == place).findFirst().orElse(null);
          on = next != null && gpa + next.bytes() < run.end();
          gpa += on && next != null ? next.bytes() : 0;
        }
        long place = gpa + delta;
        long room = Math.min(run.end() - gpa, roomAt(place));
        if (room > 0) {
          rests.add(new Shape(place, room));
          long pages = Math.min(CUT_PAGES, room / SlotCalls.PAGE);
          sweeps.add(new Sweep(true, new Shape(place, SlotCalls.PAGE), SlotCalls.PAGE, pages));
        }
      }
    }
    return quest.tryShapes(rests) || sweep(sweeps);
  }

  /**
   * How far memory of the target may lie above guest-physical addresses: as it does for slots that
   * must be all of a range, and as if large areas began at guest address 0.
   */
  private Set<Long> deltas(List<Found> found) {
    Set<Long> deltas = new LinkedHashSet<>();
    for (Found each : found) {
      for (Range run : runs) {
        if (run.bytes() == each.bytes()) {
          deltas.add(each.hva() - run.start());
        }
      }
    }
    for (Extent extent : likely) {
      if (extent.bytes() >= LARGE) {
        deltas.addAll(extent.borders());
      }
    }
    return deltas;
  }

  /** How much memory there is from a place on, 0 if there is none. */
  private long roomAt(long place) {
    return likely.stream()
        .filter(each -> place >= each.start() && place < each.end())
        .mapToLong(each -> each.end() - place)
        .findFirst()
        .orElse(0);
  }

  /** Ways through places for sizes that are known. */
  private static List<Sweep> ofPlaces(
      List<Long> steps, List<Extent> extents, Collection<Long> sizes) {
    List<Sweep> sweeps = new ArrayList<>();
    for (long step : steps) {
      for (Extent extent : extents) {
        long first = up(extent.start(), step);
        for (long size : sizes) {
          long last = extent.end() - size;
          if (first <= last) {
            Shape shape = new Shape(first, size);
            sweeps.add(new Sweep(false, shape, step, (last - first) / step + 1));
          }
        }
      }
    }
    return sweeps;
  }

  /** Ways through sizes for places that are known. */
  private List<Sweep> ofSizes(List<Long> steps) {
    List<Sweep> sweeps = new ArrayList<>();
    long most = untaken().stream().mapToLong(Range::bytes).max().orElse(0);
    for (long step : steps) {
      most = Math.min(most, SlotCalls.MOST_BYTES - step);
      for (Extent extent : likely) {
        Set<Long> places = new LinkedHashSet<>(extent.borders());
        quest.found().forEach(each -> places.add(each.end()));
        for (long place : places) {
          long room = Math.min(extent.end() - place, most);
          if (place >= extent.start() && room >= step) {
            sweeps.add(new Sweep(true, new Shape(place, step), step, room / step));
          }
        }
      }
    }
    return sweeps;
  }

  /** Steps through them, the shorter ways first. */
  private boolean sweep(List<Sweep> sweeps) {
    sweeps.sort(Comparator.comparingLong(Sweep::count));
    for (Sweep sweep : sweeps) {
      if (quest.exhausted()) {
        return false;
      }
      if (swept.add(sweep) && run(sweep)) {
        return true;
      }
    }
    return false;
  }

  private boolean run(Sweep sweep) {
    return sweep.sizes()
        ? quest.trySweepSizes(sweep.first(), sweep.step(), sweep.count())
        : quest.trySweepPlaces(sweep.first(), sweep.step(), sweep.count());
  }

  private static long up(long address, long step) {
    return (address + step - 1) / step * step;
  }
}
