// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Checks slots in a frozen target, without a slot of our own. KVM is asked to put a slot where it
 * may be; it does nothing if the slot is there already (0), and refuses if another is (EEXIST).
 *
 * <p>Why nothing can be moved. First it is established, by questions without danger, that all slots
 * exist with the flags they should have, and that nothing outside what they should occupy is
 * occupied. Then each is aimed at the first page of an occupied range, which is the first page of
 * some slot: if that is its own, 0; else the other is in the way; so place and size of all of them
 * are established. Their sizes add up to what they should occupy, and nothing else is occupied:
 * hence every page of it is. A slot aimed anywhere within it therefore either lies there already,
 * or covers a page of another.
 */
final class Confirmation {
  private final SlotCalls calls;
  private final List<SlotImage> slots;
  private final List<Range> claimed;
  private final List<Range> own;

  private Confirmation(SlotCalls calls, List<SlotImage> slots, List<Range> own) {
    this.calls = calls;
    this.slots = slots;
    this.own = own;
    claimed = claimed(slots);
  }

  /**
   * Checks all address spaces.
   *
   * @param memFd whether KVM may be asked by KVM_MEM_GUEST_MEMFD
   */
  static Optional<FoundSlots> of(
      RemoteTask task, RemoteFd vm, FoundSlots found, int numbers, boolean memFd) {
    List<SlotImage> slots = new ArrayList<>();
    for (int space = 0; space < found.own().size(); space++) {
      int here = space;
      SlotCalls calls = SlotCalls.of(task, vm, space, numbers, memFd);
      List<SlotImage> mine =
          found.slots().stream().filter(each -> each.addressSpace() == here).toList();
      try {
        if (calls.intrusive()) {
          List<SlotImage> placed = Recount.of(calls, numbers, mine);
          if (placed == null) {
            return Optional.empty();
          }
          slots.addAll(placed);
          continue;
        }
        Confirmation confirmation = new Confirmation(calls, mine, found.own().get(space));
        if (!confirmation.outlinesHold() || !confirmation.shapesHold()) {
          return Optional.empty();
        }
        List<SlotImage> placed = confirmation.placed();
        if (placed.size() != mine.size()) {
          return Optional.empty();
        }
        slots.addAll(placed);
      } catch (SlotsChangedException e) {
        return Optional.empty();
      }
    }
    return Optional.of(new FoundSlots(slots, found.own()));
  }

  /**
   * Nothing else is occupied, all begin and end where they should, exist, and are logged or not.
   */
  private boolean outlinesHold() {
    List<Range> taken = new ArrayList<>(claimed);
    taken.addAll(own);
    taken.sort(Comparator.comparingLong(Range::start));
    List<Range> asked = Occupancy.between(taken);
    int free = asked.size();
    for (Range range : taken) {
      asked.add(new Range(range.start(), range.start() + SlotCalls.PAGE));
      asked.add(new Range(range.end() - SlotCalls.PAGE, range.end()));
    }
    boolean[] occupied = calls.occupied(asked);
    for (int i = 0; i < occupied.length; i++) {
      if (occupied[i] != i >= free) {
        return false;
      }
    }
    if (slots.isEmpty()) {
      return true;
    }
    List<Integer> ids = slots.stream().map(SlotImage::id).toList();
    boolean[] exist = calls.exist(ids, firstPage());
    boolean[] logged = calls.logged(ids);
    for (int i = 0; i < exist.length; i++) {
      if (!exist[i] || logged[i] != ((slots.get(i).flags() & 1) != 0)) {
        return false;
      }
    }
    return true;
  }

  /** Each has the place, the size and the protection it should have; wherever the guest sees it. */
  private boolean shapesHold() {
    for (long answer : aim(slots, slots.stream().map(each -> firstPage().start()).toList())) {
      if (answer != 0 && answer != -Errno.EEXIST) {
        return false;
      }
    }
    return true;
  }

  /** The slots where the guest sees them; fewer than all if that cannot be found. */
  private List<SlotImage> placed() {
    long[] answers = aim(slots, slots.stream().map(SlotImage::gpa).toList());
    List<SlotImage> placed = new ArrayList<>();
    List<SlotImage> elsewhere = new ArrayList<>();
    for (int i = 0; i < answers.length; i++) {
      (answers[i] == 0 ? placed : elsewhere).add(slots.get(i));
    }
    for (boolean progress = true; progress && !elsewhere.isEmpty(); ) {
      progress = false;
      for (Range gap : minus(claimed, placed)) {
        // A gap begins where a slot ends or nothing is: with the first page of one of the others.
        List<SlotImage> fitting =
            elsewhere.stream().filter(each -> each.bytes() <= gap.bytes()).toList();
        long[] found = aim(fitting, fitting.stream().map(each -> gap.start()).toList());
        for (int i = 0; i < found.length; i++) {
          if (found[i] == 0) {
            elsewhere.remove(fitting.get(i));
            placed.add(at(fitting.get(i), gap.start()));
            progress = true;
          }
        }
      }
    }
    placed.sort(Comparator.comparingLong(SlotImage::gpa));
    return placed;
  }

  private long[] aim(List<SlotImage> aimed, List<Long> gpas) {
    return aim(calls, aimed, gpas);
  }

  /** Asks KVM to put slots where they may be; harmless only under the conditions above. */
  static long[] aim(SlotCalls calls, List<SlotImage> aimed, List<Long> gpas) {
    byte[] all = new byte[aimed.size() * SlotCalls.REGION_BYTES];
    for (int i = 0; i < aimed.size(); i++) {
      SlotImage slot = aimed.get(i);
      // Checked here too, as a size of 0 deletes.
      Guess guess = new Guess(slot.id(), false, slot.hva().value(), slot.bytes());
      int at = i * SlotCalls.REGION_BYTES;
      ByteBuffer.wrap(all)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putInt(at, calls.number(guess.id()))
          .putInt(at + 4, slot.flags())
          .putLong(at + SlotCalls.GPA_OFFSET, gpas.get(i))
          .putLong(at + SlotCalls.SIZE_OFFSET, guess.bytes())
          .putLong(at + SlotCalls.HVA_OFFSET, guess.hva());
    }
    return calls.run(KvmIoctl.SET_USER_MEMORY_REGION, all, SlotCalls.REGION_BYTES);
  }

  private Range firstPage() {
    long start = claimed.get(0).start();
    return new Range(start, start + SlotCalls.PAGE);
  }

  /** A slot seen elsewhere by the guest. */
  static SlotImage at(SlotImage slot, long gpa) {
    return new SlotImage(
        slot.id(), slot.addressSpace(), slot.flags(), gpa, slot.bytes(), slot.hva(), slot.source());
  }

  /** What slots occupy, in ranges that do not touch each other. */
  static List<Range> claimed(List<SlotImage> slots) {
    List<SlotImage> ascending =
        slots.stream().sorted(Comparator.comparingLong(SlotImage::gpa)).toList();
    List<Range> claimed = new ArrayList<>();
    for (SlotImage slot : ascending) {
      int last = claimed.size() - 1;
      long end = slot.gpa() + slot.bytes();
      if (last >= 0 && claimed.get(last).end() == slot.gpa()) {
        claimed.set(last, new Range(claimed.get(last).start(), end));
      } else {
        claimed.add(new Range(slot.gpa(), end));
      }
    }
    return claimed;
  }

  private static List<Range> minus(List<Range> ranges, List<SlotImage> slots) {
    List<Range> left = new ArrayList<>();
    for (Range range : ranges) {
      long at = range.start();
      List<SlotImage> within =
          slots.stream()
              .filter(each -> each.gpa() >= range.start() && each.gpa() < range.end())
              .sorted(Comparator.comparingLong(SlotImage::gpa))
              .toList();
      for (SlotImage slot : within) {
        if (slot.gpa() > at) {
          left.add(new Range(at, slot.gpa()));
        }
        at = slot.gpa() + slot.bytes();
      }
      if (at < range.end()) {
        left.add(new Range(at, range.end()));
      }
    }
    return left;
  }
}
