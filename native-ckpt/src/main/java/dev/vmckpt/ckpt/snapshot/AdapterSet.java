// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.spi.Adapter;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The adapters, in the order they declare: on the way in from first to last, on the way out in
 * reverse.
 */
public final class AdapterSet {
  private final List<Adapter> ordered;

  /**
   * @throws IllegalArgumentException if two adapters each want to come before the other
   */
  public AdapterSet(List<Adapter> adapters) {
    List<Adapter> left = new ArrayList<>(adapters);
    List<Adapter> sorted = new ArrayList<>();
    while (!left.isEmpty()) {
      Adapter next = null;
      for (Adapter candidate : left) {
        if (nobodyWantsToComeBefore(candidate, left)) {
          next = candidate;
          break;
        }
      }
      if (next == null) {
        throw new IllegalArgumentException("the adapters' orders contradict each other");
      }
      sorted.add(next);
      left.remove(next);
    }
    ordered = List.copyOf(sorted);
  }

  private static boolean nobodyWantsToComeBefore(Adapter candidate, List<Adapter> left) {
    for (Adapter other : left) {
      if (other != candidate
          && (other.before().contains(candidate.name()) || (candidate.last() && !other.last()))) {
        return false;
      }
    }
    return true;
  }

  /** From first to last. */
  public List<Adapter> ordered() {
    return ordered;
  }

  /** The adapter of that name, or null. */
  public @Nullable Adapter byName(String name) {
    for (Adapter adapter : ordered) {
      if (adapter.name().equals(name)) {
        return adapter;
      }
    }
    return null;
  }
}
