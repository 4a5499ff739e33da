// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The slots whose number is known and whose place and size are not, and what was tried for them.
 */
final class Quest {
  /** A place and a size. */
  record Shape(long hva, long bytes) {}

  /** What is known of a slot that is looked for. */
  private record Open(boolean logged, long loggedBytes) {}

  /** A slot that was found; where the guest sees it is not known yet. */
  record Found(int id, boolean readOnly, boolean logged, long hva, long bytes) {
    long end() {
      return hva + bytes;
    }
  }

  private final SlotCalls calls;
  private final Peg peg;
  private final long mostCalls;
  private final Map<Integer, Open> open = new TreeMap<>();
  private final Map<Integer, Found> found = new TreeMap<>();
  private final Set<Shape> tried = new HashSet<>();

  /**
   * @param ids the numbers of all slots but the peg
   * @param mostCalls how many calls may be made before it is given up
   */
  Quest(SlotCalls calls, Peg peg, List<Integer> ids, long mostCalls) {
    this.calls = calls;
    this.peg = peg;
    this.mostCalls = mostCalls;
    boolean[] logged = calls.logged(ids);
    for (int i = 0; i < logged.length; i++) {
      int id = ids.get(i);
      open.put(id, new Open(logged[i], logged[i] ? calls.loggedBytes(id) : 0));
    }
  }

  /** The numbers of those not found yet. */
  List<Integer> open() {
    return List.copyOf(open.keySet());
  }

  boolean done() {
    return open.isEmpty();
  }

  boolean exhausted() {
    return calls.made() > mostCalls;
  }

  List<Found> found() {
    return List.copyOf(found.values());
  }

  /** The sizes that KVM told of slots not found yet. */
  List<Long> toldSizes() {
    return open.values().stream().filter(Open::logged).map(Open::loggedBytes).distinct().toList();
  }

  /** Whether any slot that is looked for may be of this size. */
  boolean possible(long bytes) {
    return open.values().stream().anyMatch(each -> fits(each, bytes));
  }

  private static boolean fits(Open each, long bytes) {
    return !each.logged() || each.loggedBytes() == bytes;
  }

  /** Tries guesses as they are; those that are wrong do no harm. */
  boolean tryGuesses(List<Guess> guesses) {
    List<Guess> sensible =
        guesses.stream()
            .filter(each -> open.containsKey(each.id()) && fits(openOf(each.id()), each.bytes()))
            .toList();
    return ask(sensible);
  }

  /**
   * Tries each shape for every slot that is looked for, in order, as long as calls are left.
   *
   * @return whether any was right
   */
  boolean tryShapes(List<Shape> shapes) {
    boolean progress = false;
    List<Guess> guesses = new ArrayList<>();
    for (Shape shape : shapes) {
      if (open.isEmpty() || exhausted()) {
        return progress;
      }
      if (!tried.add(shape)) {
        continue;
      }
      open.forEach(
          (id, each) -> {
            if (fits(each, shape.bytes())) {
              guesses.add(new Guess(id, false, shape.hva(), shape.bytes()));
              guesses.add(new Guess(id, true, shape.hva(), shape.bytes()));
            }
          });
      if (guesses.size() >= 900) {
        progress |= ask(guesses);
        guesses.clear();
      }
    }
    return ask(guesses) || progress;
  }

  private boolean ask(List<Guess> guesses) {
    boolean[] right = peg.right(guesses);
    boolean progress = false;
    for (int i = 0; i < right.length; i++) {
      if (right[i]) {
        progress |= settle(guesses.get(i));
      }
    }
    return progress;
  }

  /** Tries places for a size, for every slot that is looked for. */
  boolean trySweepPlaces(Shape first, long step, long count) {
    return sweep(first, step, count, false);
  }

  /** Tries sizes for a place, for every slot that is looked for. */
  boolean trySweepSizes(Shape first, long step, long count) {
    return sweep(first, step, count, true);
  }

  private boolean sweep(Shape first, long step, long count, boolean sizes) {
    boolean progress = false;
    for (int id : open()) {
      Open each = openOf(id);
      if (sizes ? each.logged() : !fits(each, first.bytes())) {
        continue;
      }
      for (int readOnly = 0; readOnly < 2 && open.containsKey(id) && !exhausted(); readOnly++) {
        Guess guess = new Guess(id, readOnly == 1, first.hva(), first.bytes());
        long wrong =
            sizes ? peg.sweepSizes(guess, step, count) : peg.sweepPlaces(guess, step, count);
        if (wrong < count) {
          long way = wrong * step;
          progress |=
              settle(
                  new Guess(
                      id,
                      guess.readOnly(),
                      first.hva() + (sizes ? 0 : way),
                      first.bytes() + (sizes ? way : 0)));
        }
      }
    }
    return progress;
  }

  private Open openOf(int id) {
    Open each = open.get(id);
    if (each == null) {
      throw new IllegalArgumentException("slot " + id + " is not looked for");
    }
    return each;
  }

  /** Takes a right guess, unless anything would be right: then the slot is gone. */
  private boolean settle(Guess guess) {
    if (!open.containsKey(guess.id())) {
      return false;
    }
    boolean[] again = peg.right(List.of(guess, guess.spoilt()));
    if (!again[0] || again[1]) {
      throw new SlotsChangedException("slot " + guess.id() + " was changed");
    }
    Open each = openOf(guess.id());
    open.remove(guess.id());
    found.put(
        guess.id(),
        new Found(guess.id(), guess.readOnly(), each.logged(), guess.hva(), guess.bytes()));
    return true;
  }
}
