// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import java.util.Arrays;

/** Ranges of addresses, ascending and disjoint: which part of an area holds data. */
final class Extents {
  private long[] bounds = new long[32];
  private int count;

  /** Adds a range at the end or behind; one that touches the last is merged with it. */
  void add(long start, long end) {
    if (start >= end) {
      return;
    }
    if (count > 0 && bounds[2 * count - 1] == start) {
      bounds[2 * count - 1] = end;
      return;
    }
    if (2 * count + 2 > bounds.length) {
      bounds = Arrays.copyOf(bounds, bounds.length * 2);
    }
    bounds[2 * count] = start;
    bounds[2 * count + 1] = end;
    count++;
  }

  int count() {
    return count;
  }

  long start(int index) {
    return bounds[2 * index];
  }

  long end(int index) {
    return bounds[2 * index + 1];
  }

  long bytes() {
    long sum = 0;
    for (int i = 0; i < count; i++) {
      sum += end(i) - start(i);
    }
    return sum;
  }

  /** The same with all gaps shorter than {@code gap} closed. */
  Extents bridged(long gap) {
    Extents result = new Extents();
    for (int i = 0; i < count; i++) {
      boolean near = result.count > 0 && start(i) - result.end(result.count - 1) < gap;
      result.add(near ? result.end(result.count - 1) : start(i), end(i));
    }
    return result;
  }

  /** The ranges that lie in either. */
  Extents union(Extents other) {
    Extents result = new Extents();
    int a = 0;
    int b = 0;
    long start = 0;
    long end = Long.MIN_VALUE;
    while (a < count || b < other.count) {
      boolean mine = b >= other.count || (a < count && start(a) <= other.start(b));
      long nextStart = mine ? start(a) : other.start(b);
      long nextEnd = mine ? end(a++) : other.end(b++);
      if (end != Long.MIN_VALUE && nextStart <= end) {
        end = Math.max(end, nextEnd);
      } else {
        if (end != Long.MIN_VALUE) {
          result.add(start, end);
        }
        start = nextStart;
        end = nextEnd;
      }
    }
    if (end != Long.MIN_VALUE) {
      result.add(start, end);
    }
    return result;
  }
}
