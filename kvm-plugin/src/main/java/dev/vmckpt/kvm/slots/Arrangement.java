// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.Quest.Found;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Lays slots whose sizes are known into what is occupied so that nothing is left. Where several
 * orders do, the one in which memory goes on as the guest's addresses do is the better guess; in a
 * frozen target it is checked, see {@link Confirmation}.
 */
final class Arrangement {
  /** KVM's own pages come in ranges of at most three. */
  private static final long OWN_BYTES = 4 * SlotCalls.PAGE;

  private static final long HUGE_PAGE = 2 << 20;
  private static final int MOST_FAILURES = 200_000;

  /** The range that is being filled, what may be left over, and what is laid. */
  private record State(int run, long toSpare, Set<Integer> laid) {}

  private final List<Found> slots;
  private final List<Range> runs;
  private final List<SlotImage> hints;
  private final Map<Integer, Long> gpas = new HashMap<>();
  private final List<Range> own = new ArrayList<>();
  private final List<Long> deltas = new ArrayList<>();
  private long toSpare;
  private final Set<State> failed = new HashSet<>();

  private Arrangement(List<Found> slots, List<Range> runs, List<SlotImage> hints) {
    this.hints = hints;
    this.slots = slots.stream().sorted(Comparator.comparingLong(Found::bytes).reversed()).toList();
    // The small ones first: few slots fit in.
    this.runs = runs.stream().sorted(Comparator.comparingLong(Range::bytes)).toList();
  }

  /**
   * Lays all of them.
   *
   * @param hints where slots lay a while ago
   * @return null if they do not fill what is occupied
   */
  static @Nullable Arrangement of(List<Found> slots, List<Range> runs, List<SlotImage> hints) {
    Arrangement arrangement = new Arrangement(slots, runs, hints);
    arrangement.toSpare =
        runs.stream().mapToLong(Range::bytes).sum() - slots.stream().mapToLong(Found::bytes).sum();
    return arrangement.toSpare >= 0 && arrangement.lay(0, 0, 0) ? arrangement : null;
  }

  /** Where a slot lies in guest-physical memory. */
  long gpa(Found slot) {
    return gpas.getOrDefault(slot.id(), 0L);
  }

  /** What is occupied by KVM itself. */
  List<Range> own() {
    return own.stream().sorted(Comparator.comparingLong(Range::start)).toList();
  }

  /**
   * @param run the range that is being filled
   * @param filled how much of it is, in bytes
   * @param goesOn where memory goes on behind the slot laid last
   */
  private boolean lay(int run, long filled, long goesOn) {
    if (run == runs.size()) {
      return gpas.size() == slots.size();
    }
    Range range = runs.get(run);
    if (filled == range.bytes()) {
      return lay(run + 1, 0, 0);
    }
    // Whether the others fit does not depend on the order of those that are laid.
    Set<Integer> laid = Set.copyOf(gpas.keySet());
    State state = new State(run, toSpare, laid);
    if (failed.size() > MOST_FAILURES || failed.contains(state)) {
      return false;
    }
    long gpa = range.start() + filled;
    List<Found> candidates =
        slots.stream()
            .filter(each -> !gpas.containsKey(each.id()))
            .filter(each -> each.bytes() <= range.bytes() - filled)
            .sorted(
                Comparator.comparingInt(
                    (Found each) ->
                        -likeness(each, gpa, goesOn, range.bytes() - filled)
                            - (each.bytes() == range.bytes() ? 16 : 0)))
            .toList();
    for (Found each : candidates) {
      gpas.put(each.id(), gpa);
      deltas.add(each.hva() - gpa);
      if (lay(run, filled + each.bytes(), each.end())) {
        return true;
      }
      deltas.remove(deltas.size() - 1);
      gpas.remove(each.id());
    }
    if (filled == 0 && range.bytes() <= Math.min(toSpare, OWN_BYTES)) {
      toSpare -= range.bytes();
      own.add(range);
      if (lay(run + 1, 0, 0)) {
        return true;
      }
      own.remove(own.size() - 1);
      toSpare += range.bytes();
    }
    failed.add(state);
    return false;
  }

  private int likeness(Found slot, long gpa, long goesOn, long room) {
    long delta = slot.hva() - gpa;
    // A machine's first memory is one area, seen from guest address 0 on.
    boolean block = slots.stream().anyMatch(each -> each.hva() == delta && each.id() != slot.id());
    boolean known =
        hints.stream()
            .anyMatch(
                each ->
                    each.gpa() == gpa
                        && each.hva().value() == slot.hva()
                        && each.bytes() == slot.bytes());
    // Huge pages can be used only if both addresses are alike; monitors see to that.
    boolean askew = slot.bytes() >= HUGE_PAGE && delta % HUGE_PAGE != 0;
    return (known ? 16 : 0)
        + (slot.hva() == goesOn ? 8 : 0)
        + (deltas.contains(delta) ? 4 : 0)
        + (block ? 2 : 0)
        + (slot.bytes() == room ? 1 : 0)
        - (askew ? 4 : 0);
  }
}
