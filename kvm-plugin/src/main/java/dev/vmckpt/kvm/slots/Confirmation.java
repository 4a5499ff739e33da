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
import org.jspecify.annotations.Nullable;

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
  private final List<Integer> ids;
  private final Questions occupation;
  private final List<Questions> ofSlots;

  /** How many ranges should be free; those asked about behind them should be occupied. */
  private final int free;

  /** All that can be asked without danger is put together here, while the target may still run. */
  private Confirmation(SlotCalls calls, List<SlotImage> slots, List<Range> own) {
    this.calls = calls;
    this.slots = slots;
    claimed = claimed(slots);
    ids = slots.stream().map(SlotImage::id).toList();
    List<Range> taken = new ArrayList<>(claimed);
    taken.addAll(own);
    taken.sort(Comparator.comparingLong(Range::start));
    List<Range> asked = Occupancy.between(taken);
    free = asked.size();
    for (Range range : taken) {
      asked.add(new Range(range.start(), range.start() + SlotCalls.PAGE));
      asked.add(new Range(range.end() - SlotCalls.PAGE, range.end()));
    }
    occupation = calls.occupation(asked);
    ofSlots =
        slots.isEmpty()
            ? List.of()
            : List.of(calls.existence(ids, firstPage()), calls.logging(ids));
  }

  /**
   * Prepares the check of all address spaces.
   *
   * @param memFd whether KVM may be asked by KVM_MEM_GUEST_MEMFD
   * @return null if this KVM cannot be asked without a slot of our own
   */
  static @Nullable List<Confirmation> prepare(
      RemoteTask task, RemoteFd vm, FoundSlots found, int numbers, boolean memFd) {
    List<Confirmation> all = new ArrayList<>();
    for (int space = 0; space < found.own().size(); space++) {
      SlotCalls calls = SlotCalls.of(task, vm, space, numbers, memFd);
      if (calls.intrusive()) {
        return null;
      }
      all.add(new Confirmation(calls, in(space, found), found.own().get(space)));
    }
    return all;
  }

  /** The slots of one address space. */
  static List<SlotImage> in(int space, FoundSlots found) {
    return found.slots().stream().filter(each -> each.addressSpace() == space).toList();
  }

  /** What can be asked without danger. */
  List<Questions> questions() {
    List<Questions> all = new ArrayList<>(ofSlots);
    all.add(0, occupation);
    return all;
  }

  RemoteFd vm() {
    return calls.vm();
  }

  /** Asks now. */
  List<long[]> ask() {
    List<long[]> answers = new ArrayList<>();
    for (Questions each : questions()) {
      answers.add(calls.run(each));
    }
    return answers;
  }

  /**
   * Judges what was answered to {@link #questions} in the target as it is now, and asks the rest.
   *
   * @return the slots where the guest sees them; null if they are others
   */
  @Nullable List<SlotImage> judge(List<long[]> answers) {
    try {
      if (!outlinesHold(answers) || !shapesHold()) {
        return null;
      }
      List<SlotImage> placed = placed();
      return placed.size() == slots.size() ? placed : null;
    } catch (SlotsChangedException e) {
      return null;
    }
  }

  /**
   * Nothing else is occupied, all begin and end where they should, exist, and are logged or not.
   */
  private boolean outlinesHold(List<long[]> answers) {
    boolean[] occupied = calls.areOccupied(answers.get(0));
    for (int i = 0; i < occupied.length; i++) {
      if (occupied[i] != i >= free) {
        return false;
      }
    }
    if (slots.isEmpty()) {
      return true;
    }
    boolean[] exist = SlotCalls.doExist(answers.get(1));
    boolean[] logged = SlotCalls.areLogged(ids, answers.get(2));
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
    return calls.run(new Questions(KvmIoctl.SET_USER_MEMORY_REGION, all, SlotCalls.REGION_BYTES));
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
