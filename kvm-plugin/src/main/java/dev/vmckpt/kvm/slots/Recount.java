// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.error.Errno;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Checks slots in a frozen target of a KVM that can only be asked by making a slot of our own. It
 * asks little: whether these numbers exist and no others, and in ascending order whether the slot
 * that should begin at a place does.
 *
 * <p>Why nothing can be moved. A slot is aimed at a page of which two things are known: it is
 * occupied, and the page below it is free or the last of a slot that was just found there. So
 * whichever slot has the page begins with it: the one that is aimed, and it stays where it is (0),
 * or another, and that is in the way (EEXIST). What has another size, place in the target or
 * protection than it should is EINVAL. At the first wrong answer it ends.
 */
final class Recount {
  private final SlotCalls calls;
  private final Range peg;
  private final List<SlotImage> left;
  private final List<SlotImage> placed = new ArrayList<>();

  private Recount(SlotCalls calls, Range peg, List<SlotImage> slots) {
    this.calls = calls;
    this.peg = peg;
    left = new ArrayList<>(slots);
  }

  /**
   * The slots of one address space where the guest sees them.
   *
   * @param numbers how many slots the vm may have
   * @return null if they are others
   */
  static @Nullable List<SlotImage> of(SlotCalls calls, int numbers, List<SlotImage> slots) {
    try (Peg peg = Peg.drive(calls, numbers)) {
      calls.seekFreeId(numbers, peg.page());
      List<Integer> ids = new ArrayList<>(calls.ids(numbers, peg.page()));
      ids.remove((Integer) peg.id());
      List<SlotImage> ascending =
          slots.stream().sorted(Comparator.comparingInt(SlotImage::id)).toList();
      if (!ids.equals(ascending.stream().map(SlotImage::id).toList())) {
        return null;
      }
      boolean[] logged = calls.logged(ids);
      for (int i = 0; i < logged.length; i++) {
        if (logged[i] != ((ascending.get(i).flags() & 1) != 0)) {
          return null;
        }
      }
      Recount recount = new Recount(calls, peg.page(), slots);
      for (Range range : Confirmation.claimed(slots)) {
        if (!recount.fills(range)) {
          return null;
        }
      }
      return recount.placed;
    }
  }

  /** Whether slots fill a range that begins where nothing is below. */
  private boolean fills(Range range) {
    long below = range.start() - SlotCalls.PAGE;
    if (below >= 0 && below != peg.start() && occupied(below)) {
      return false;
    }
    for (long at = range.start(); at < range.end(); ) {
      SlotImage here = occupied(at) ? at(at, range.end()) : null;
      if (here == null) {
        return false;
      }
      left.removeIf(each -> each.id() == here.id());
      placed.add(Confirmation.at(here, at));
      at += here.bytes();
    }
    return true;
  }

  /** The slot that begins at a place, the one that should first; null if none that fits does. */
  private @Nullable SlotImage at(long gpa, long end) {
    List<SlotImage> likely =
        left.stream()
            .filter(each -> each.bytes() <= end - gpa)
            .sorted(Comparator.comparingInt((SlotImage each) -> each.gpa() == gpa ? 0 : 1))
            .toList();
    for (SlotImage each : likely) {
      long answer = Confirmation.aim(calls, List.of(each), List.of(gpa))[0];
      if (answer == 0) {
        return each;
      } else if (answer != -Errno.EEXIST) {
        return null;
      }
    }
    return null;
  }

  private boolean occupied(long page) {
    return calls.occupied(List.of(new Range(page, page + SlotCalls.PAGE)))[0];
  }
}
