// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.error.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * Asks what is occupied by making a slot there and deleting it: EEXIST, at half a microsecond, if
 * anything is in the way; else it is made, at a tenth of a millisecond and more for both.
 *
 * <p>A slot of this kind is read-only and its memory is the page at 0, where nothing can be mapped:
 * a vcpu that read it would fail with EFAULT. So it must not stay for a moment in which the guest
 * runs: the target is frozen, and making and deleting are calls of one batch that ends even if we
 * are killed meanwhile. It is a short one, for then the target runs on at once.
 */
final class Trial {
  /** 1 TiB: so far is looked, at 0.15 ms a GiB. What lies beyond is missing in the sum. */
  static final long END = 1L << 40;

  /** 1 GiB: what KVM allocates for a slot grows with it. */
  static final long MOST_BYTES = 1L << 30;

  /** How many slots a batch makes at most, one after the other. */
  private static final int SLOTS = 8;

  private static final long NOWHERE = 0;

  private final SlotCalls calls;

  Trial(SlotCalls calls) {
    this.calls = calls;
  }

  /** Whether any page of each range is occupied; what lies beyond {@link #END} is not. */
  boolean[] occupied(List<Range> ranges) {
    List<Range> pieces = new ArrayList<>();
    List<Integer> whose = new ArrayList<>();
    for (int i = 0; i < ranges.size(); i++) {
      long end = Math.min(END, ranges.get(i).end());
      for (long at = ranges.get(i).start(); at < end; at += MOST_BYTES) {
        pieces.add(new Range(at, Math.min(end, at + MOST_BYTES)));
        whose.add(i);
      }
    }
    boolean[] occupied = new boolean[ranges.size()];
    boolean[] answers = tryAll(pieces);
    for (int i = 0; i < answers.length; i++) {
      occupied[whose.get(i)] |= answers[i];
    }
    return occupied;
  }

  /** As {@link SlotCalls#pages}. */
  long pages(Range range, boolean occupied) {
    return (occupied ? occupiedBytes(range) : freeBytes(range)) / SlotCalls.PAGE;
  }

  private long occupiedBytes(Range range) {
    long at = range.start();
    while (at < range.end()) {
      List<Range> some = new ArrayList<>();
      for (long page = at; page < range.end() && some.size() < SLOTS; page += SlotCalls.PAGE) {
        some.add(new Range(page, page + SlotCalls.PAGE));
      }
      for (boolean each : tryAll(some)) {
        if (!each) {
          return at - range.start();
        }
        at += SlotCalls.PAGE;
      }
    }
    return range.bytes();
  }

  /** By halves: of a free range one question tells. */
  private long freeBytes(Range range) {
    long at = range.start();
    long step = SlotCalls.PAGE;
    while (at < range.end() && step >= SlotCalls.PAGE) {
      long end = Math.min(range.end(), at + step);
      if (tryAll(List.of(new Range(at, end)))[0]) {
        step = Long.highestOneBit(end - at - 1);
      } else {
        at = end;
        step = Math.min(MOST_BYTES, step * 2);
      }
    }
    return at - range.start();
  }

  private boolean[] tryAll(List<Range> ranges) {
    byte[] all = new byte[2 * ranges.size() * SlotCalls.REGION_BYTES];
    for (int i = 0; i < ranges.size(); i++) {
      put(all, 2 * i, ranges.get(i), ranges.get(i).bytes());
      put(all, 2 * i + 1, ranges.get(i), 0);
    }
    long[] answers =
        calls.run(
            new Questions(KvmIoctl.SET_USER_MEMORY_REGION, all, SlotCalls.REGION_BYTES),
            2 * SLOTS,
            true);
    boolean[] occupied = new boolean[ranges.size()];
    for (int i = 0; i < occupied.length; i++) {
      long made = answers[2 * i];
      long deleted = answers[2 * i + 1];
      occupied[i] = made == -Errno.EEXIST;
      // What was not made cannot be deleted: EINVAL.
      if ((made != 0 && !occupied[i]) || (made == 0 && deleted != 0)) {
        throw SlotCalls.unexpected(
            made == 0 ? deleted : made, "ioctl(KVM_SET_USER_MEMORY_REGION)", "a slot of our own");
      }
    }
    return occupied;
  }

  private void put(byte[] all, int index, Range range, long bytes) {
    byte[] region =
        SlotCalls.region(
            calls.number(calls.freeId()), SlotCalls.READONLY, range.start(), bytes, NOWHERE);
    System.arraycopy(region, 0, all, index * region.length, region.length);
  }
}
