// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.slots.Quest.Found;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds all memory slots of a vm while its process runs. Milliseconds for machines whose memory
 * begins where areas of the process do; half a microsecond a page where it must be stepped through.
 *
 * <p>All or nothing: the numbers of all slots are known, so one that is not found is named, and the
 * sizes must fill what is occupied to the byte. The order of slots that touch each other in
 * guest-physical memory is a guess until {@link #confirm} has checked it.
 */
public final class SlotSearch {
  /** About four seconds. */
  private static final long MOST_CALLS = 8_000_000;

  private static final int ATTEMPTS = 3;

  private static final String REMEDY =
      "start the machine by `vmckpt run`, which notes the slots as they are made";

  private final RemoteTask task;
  private final RemoteFd vm;
  private final List<Area> areas;
  private final long mostCalls;
  private final int numbers;
  private final boolean memFd;
  private boolean frozen;

  /**
   * @param memFd whether KVM may be asked by KVM_MEM_GUEST_MEMFD
   */
  private SlotSearch(
      RemoteTask task, RemoteFd vm, List<Area> areas, long mostCalls, boolean memFd) {
    this.memFd = memFd;
    this.task = task;
    this.vm = vm;
    this.areas = areas;
    this.mostCalls = mostCalls;
    numbers = extension(task, vm, KvmCap.NR_MEMSLOTS);
  }

  /** Lets something be done while the target stands still. */
  public interface Stillness {
    /** Stops all threads of the target for as long as it takes. */
    void during(Runnable work);
  }

  /**
   * Finds them. The target may run: a slot of our own is put in for as long as it takes, see {@link
   * Peg}; nothing of the target's is changed. If KVM has not got the calls for that (before Linux
   * 6.18) and the hints do not tell all slots, the target is made to stand still.
   *
   * @param task makes the calls in the target
   * @param vm the vm's descriptor there
   * @param areas the target's areas
   * @param hints slots that are likely, for example those found a while ago; tried first
   * @param memFd whether KVM_MEM_GUEST_MEMFD may be tried
   * @throws RefusedException if a slot cannot be found, or if the target keeps changing them
   */
  public static FoundSlots search(
      RemoteTask task,
      RemoteFd vm,
      List<Area> areas,
      List<SlotImage> hints,
      boolean memFd,
      Stillness stillness) {
    SlotSearch search = new SlotSearch(task, vm, areas, MOST_CALLS, memFd);
    try {
      return search.attempts(hints);
    } catch (StillnessNeededException e) {
      List<FoundSlots> found = new ArrayList<>();
      stillness.during(
          () -> {
            search.frozen = true;
            found.add(search.attempts(hints));
          });
      return found.get(0);
    }
  }

  private FoundSlots attempts(List<SlotImage> hints) {
    for (int attempt = 1; ; attempt++) {
      try {
        return allSpaces(hints);
      } catch (SlotsChangedException e) {
        if (attempt == ATTEMPTS) {
          throw refused(vm.toString(), "its memory slots keep changing: " + e.getMessage());
        }
      }
    }
  }

  /**
   * Checks in a frozen target that these are the slots, all of them; a few microseconds a slot,
   * nothing is changed.
   *
   * @param memFd whether KVM_MEM_GUEST_MEMFD may be tried; without it takes some 20 milliseconds
   * @return the same slots, or with the order of neighbours put right; empty if the target has
   *     changed its slots since they were found
   */
  public static Optional<FoundSlots> confirm(
      RemoteTask task, RemoteFd vm, FoundSlots found, boolean memFd) {
    int numbers = extension(task, vm, KvmCap.NR_MEMSLOTS);
    SlotCheck check = SlotCheck.of(task, vm, found, numbers, memFd);
    if (check != null) {
      return check.run();
    }
    List<SlotImage> slots = new ArrayList<>();
    try {
      for (int space = 0; space < found.own().size(); space++) {
        SlotCalls calls = SlotCalls.of(task, vm, space, numbers, memFd);
        List<SlotImage> placed = Recount.of(calls, numbers, Confirmation.in(space, found));
        if (placed == null) {
          return Optional.empty();
        }
        slots.addAll(placed);
      }
    } catch (SlotsChangedException e) {
      return Optional.empty();
    }
    return Optional.of(new FoundSlots(slots, found.own()));
  }

  /**
   * Prepares {@link #confirm} while the target runs.
   *
   * @return null if this KVM cannot be asked that way
   */
  public static @Nullable SlotCheck prepare(
      RemoteTask task, RemoteFd vm, FoundSlots found, boolean memFd) {
    return SlotCheck.of(task, vm, found, extension(task, vm, KvmCap.NR_MEMSLOTS), memFd);
  }

  private FoundSlots allSpaces(List<SlotImage> hints) {
    List<SlotImage> slots = new ArrayList<>();
    List<List<Range>> own = new ArrayList<>();
    int spaces = Math.max(1, extension(task, vm, KvmCap.MULTI_ADDRESS_SPACE));
    for (int space = 0; space < spaces; space++) {
      SlotCalls calls = SlotCalls.of(task, vm, space, numbers, memFd);
      // What system management mode sees is mostly what the others see.
      List<SlotImage> likely = new ArrayList<>(hints);
      likely.addAll(slots);
      own.add(space(calls, likely, slots));
    }
    slots.sort(Comparator.comparingInt(SlotImage::addressSpace).thenComparingLong(SlotImage::gpa));
    return new FoundSlots(slots, own);
  }

  /** Adds the slots of one address space; what is occupied by KVM itself is returned. */
  private List<Range> space(SlotCalls calls, List<SlotImage> hints, List<SlotImage> slots) {
    Occupancy occupancy = new Occupancy(calls);
    if (!calls.intrusive() && occupancy.rough().isEmpty()) {
      return List.of();
    }
    try (Peg peg = Peg.drive(calls, numbers)) {
      calls.seekFreeId(numbers, peg.page());
      List<Integer> ids = new ArrayList<>(calls.ids(numbers, peg.page()));
      ids.remove((Integer) peg.id());
      Quest quest = new Quest(calls, peg, ids, mostCalls);
      quest.tryGuesses(guesses(hints, ids));
      if (calls.intrusive() && quest.done()) {
        for (Found found : quest.found()) {
          slots.add(image(found, calls.space(), hinted(found, calls.space(), hints)));
        }
        return List.of();
      }
      if (calls.intrusive() && !frozen) {
        throw new StillnessNeededException();
      }
      List<Range> runs = without(occupancy.rough(), peg.page());
      SpaceSearch search = new SpaceSearch(quest, occupancy, runs, areas);
      search.search();
      if (!quest.done()) {
        throw refused(calls, quest.open());
      }
      Arrangement arrangement = Arrangement.of(quest.found(), search.runs(), hints);
      if (arrangement == null) {
        search.lookThoroughly();
        arrangement = Arrangement.of(quest.found(), search.runs(), hints);
      }
      if (!calls.intrusive() && !without(occupancy.rough(), peg.page()).equals(runs)) {
        throw new SlotsChangedException("other guest-physical addresses are occupied");
      }
      if (arrangement == null) {
        throw refused(
            vm.toString(),
            quest.found().size() + " memory slots were found that do not fill " + search.runs());
      }
      for (Found found : quest.found()) {
        slots.add(image(found, calls.space(), arrangement.gpa(found)));
      }
      return arrangement.own();
    }
  }

  private List<Guess> guesses(List<SlotImage> hints, List<Integer> ids) {
    List<Guess> guesses = new ArrayList<>();
    for (SlotImage hint : hints) {
      boolean readOnly = (hint.flags() & SlotCalls.READONLY) != 0;
      if (ids.contains(hint.id())) {
        guesses.add(new Guess(hint.id(), readOnly, hint.hva().value(), hint.bytes()));
      }
    }
    return guesses;
  }

  /** Where the hint that was right says a slot is; it is checked when the target stands still. */
  private static long hinted(Found found, int space, List<SlotImage> hints) {
    return hints.stream()
        .filter(each -> each.id() == found.id() && each.hva().value() == found.hva())
        .filter(each -> each.bytes() == found.bytes())
        .min(Comparator.comparingInt(each -> each.addressSpace() == space ? 0 : 1))
        .map(SlotImage::gpa)
        .orElseThrow();
  }

  private static SlotImage image(Found found, int space, long gpa) {
    int flags = (found.readOnly() ? SlotCalls.READONLY : 0) | (found.logged() ? 1 : 0);
    return new SlotImage(
        found.id(),
        space,
        flags,
        gpa,
        found.bytes(),
        new RemoteAddress(found.hva()),
        Finding.Source.FOUND);
  }

  private static List<Range> without(List<Range> runs, Range page) {
    return runs.stream().filter(each -> !each.equals(page)).toList();
  }

  private RefusedException refused(SlotCalls calls, List<Integer> open) {
    List<Refusal> refusals = new ArrayList<>();
    for (int id : open) {
      refusals.add(
          new Refusal(
              vm + " memslot:" + id + (calls.space() == 0 ? "" : " of address space 1"),
              "where its memory lies in the process was not found",
              REMEDY));
    }
    return new RefusedException("the search for memory slots of " + task.pid(), refusals);
  }

  private RefusedException refused(String resource, String why) {
    return new RefusedException(
        "the search for memory slots of " + task.pid(),
        List.of(new Refusal(resource, why, REMEDY)));
  }

  private static int extension(RemoteTask task, RemoteFd vm, int capability) {
    return Math.toIntExact(
        task.call(
            "ioctl(KVM_CHECK_EXTENSION)",
            vm.toString(),
            Nr.IOCTL,
            vm.number(),
            KvmIoctl.CHECK_EXTENSION,
            capability));
  }
}
