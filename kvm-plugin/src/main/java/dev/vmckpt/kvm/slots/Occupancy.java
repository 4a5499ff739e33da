// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import java.util.ArrayList;
import java.util.List;

/**
 * Which guest-physical addresses belong to slots: in ever smaller cells, of which only the occupied
 * ones are looked into.
 *
 * <p>A cell tells whether anything in it is occupied, not whether all is. Down to 2 MiB all cells
 * are looked into, below that only those at the borders of what is occupied: a hole of less that
 * lies within is not seen. {@link #thorough} sees it, and takes half a microsecond a page.
 */
final class Occupancy {
  /** 2^52 bytes: as far as any guest-physical address reaches. */
  static final long END = 1L << 52;

  private static final long[] CELLS = {1L << 42, 1L << 37, 1L << 32, 1L << 27, 1L << 21};

  /** Where a free cell costs more than an occupied one. */
  private static final long[] TRIAL_CELLS = {Trial.MOST_BYTES, 1L << 27, 1L << 24, 1L << 21};

  private final SlotCalls calls;

  Occupancy(SlotCalls calls) {
    this.calls = calls;
  }

  /** What is occupied, ascending, in ranges that do not touch each other. */
  List<Range> rough() {
    List<Range> occupied = List.of(new Range(0, calls.intrusive() ? Trial.END : END));
    for (long cell : calls.intrusive() ? TRIAL_CELLS : CELLS) {
      List<Range> cells = new ArrayList<>();
      for (Range range : occupied) {
        cut(range, cell, cells);
      }
      occupied = joined(occupiedOf(cells));
    }
    final long cell = CELLS[CELLS.length - 1];
    List<Range> pages = new ArrayList<>();
    List<Range> within = new ArrayList<>();
    for (Range range : occupied) {
      pages.add(new Range(range.start(), range.start() + cell));
      if (range.bytes() > cell) {
        pages.add(new Range(range.end() - cell, range.end()));
      }
      if (range.bytes() > 2 * cell) {
        within.add(new Range(range.start() + cell, range.end() - cell));
      }
    }
    List<Range> all = new ArrayList<>(eachPage(pages));
    all.addAll(within);
    all.sort((a, b) -> Long.compare(a.start(), b.start()));
    return joined(all);
  }

  /** The same ranges with all holes in them found, page by page. */
  List<Range> thorough(List<Range> rough) {
    List<Range> all = new ArrayList<>();
    for (Range range : rough) {
      for (long at = range.start(); at < range.end(); ) {
        long full = calls.pages(new Range(at, range.end()), true) * SlotCalls.PAGE;
        if (full > 0) {
          all.add(new Range(at, at + full));
        }
        at += full;
        if (at < range.end()) {
          at += calls.pages(new Range(at, range.end()), false) * SlotCalls.PAGE;
        }
      }
    }
    return joined(all);
  }

  private List<Range> eachPage(List<Range> cells) {
    if (calls.intrusive()) {
      return thorough(cells);
    }
    List<Range> pages = new ArrayList<>();
    cells.forEach(each -> cut(each, SlotCalls.PAGE, pages));
    return occupiedOf(pages);
  }

  /** What lies between ranges, in pieces that one question can be about. */
  static List<Range> between(List<Range> ranges) {
    List<Range> free = new ArrayList<>();
    long at = 0;
    for (Range range : ranges) {
      if (range.start() > at) {
        cut(new Range(at, range.start()), SlotCalls.MOST_BYTES, free);
      }
      at = range.end();
    }
    if (at < END) {
      cut(new Range(at, END), SlotCalls.MOST_BYTES, free);
    }
    return free;
  }

  private List<Range> occupiedOf(List<Range> cells) {
    boolean[] occupied = calls.occupied(cells);
    List<Range> kept = new ArrayList<>();
    for (int i = 0; i < occupied.length; i++) {
      if (occupied[i]) {
        kept.add(cells.get(i));
      }
    }
    return kept;
  }

  private static void cut(Range range, long cell, List<Range> cells) {
    for (long at = range.start(); at < range.end(); at += cell) {
      cells.add(new Range(at, Math.min(range.end(), at + cell)));
    }
  }

  private static List<Range> joined(List<Range> ascending) {
    List<Range> joined = new ArrayList<>();
    for (Range range : ascending) {
      int last = joined.size() - 1;
      if (last >= 0 && joined.get(last).end() == range.start()) {
        joined.set(last, new Range(joined.get(last).start(), range.end()));
      } else {
        joined.add(range);
      }
    }
    return joined;
  }
}
