// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.OwnMachine.Slot;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/**
 * Memory slots as monitors make them, and worse: whole areas, parts of areas, one area cut into
 * several slots that touch each other or do not, several areas that touch each other in the guest's
 * eyes only; numbers with gaps; up to 6 GiB.
 *
 * <p>What is left out is what the search does not claim to find: neighbours in guest memory of
 * which more than one begins and ends where nothing else does.
 */
final class RandomLayout {
  private static final long PAGE = OwnMachine.PAGE;

  private final OwnMachine machine;
  private final Random random;
  private final long most;
  private final Set<Integer> ids = new TreeSet<>();
  private long gpa;
  private long total;

  /** Whether one of those that end at {@link #gpa} begins where nothing else does. */
  private boolean loose;

  private RandomLayout(OwnMachine machine, Random random) {
    this.machine = machine;
    this.random = random;
    // What is large takes longer, so it is seldom.
    most = random.nextInt(20) == 0 ? 6L << 30 : 32L << 20;
  }

  static void set(OwnMachine machine, Random random) {
    RandomLayout layout = new RandomLayout(machine, random);
    int blocks = 1 + random.nextInt(7);
    for (int i = 0; i < blocks; i++) {
      layout.block();
    }
  }

  private void block() {
    long pages = size();
    if (total + pages * PAGE > most) {
      pages = 1L + random.nextInt(64);
    }
    total += pages * PAGE;
    long at = machine.map(pages * PAGE, random.nextInt(3) == 0);
    switch (pages < 8 ? 0 : random.nextInt(6)) {
      case 0, 1 -> {
        gap(false);
        slot(at, pages);
      }
      case 2 -> {
        gap(false);
        slot(at, 1 + random.nextLong(pages - 1));
      }
      case 3 -> {
        gap(true);
        long part = 1 + random.nextLong(pages - 1);
        slot(at + (pages - part) * PAGE, part);
      }
      case 4 -> {
        // From the middle; stepped through by pages, so not too much of it.
        long within = Math.min(pages, 8 << 8);
        long from = 1 + random.nextLong(within - 2);
        gap(true);
        slot(at + from * PAGE, 1 + random.nextLong(within - from - 1));
      }
      default -> {
        gap(false);
        long cut = 1 + random.nextLong(pages - 2);
        slot(at, cut);
        if (random.nextBoolean()) {
          gpa += (1 + random.nextLong(1 << random.nextInt(18))) * PAGE;
        }
        slot(at + cut * PAGE, pages - cut);
      }
    }
  }

  private long size() {
    return switch (random.nextInt(6)) {
      case 0 -> 1L + random.nextInt(4);
      case 1 -> 1L + random.nextInt(600);
      case 2 -> 512L * (1L + random.nextInt(32));
      case 3 -> 1L + random.nextInt(1 << 14);
      case 4 -> 1L << random.nextInt(18);
      default -> 512L * (1L + random.nextInt(1024));
    };
  }

  /**
   * Goes on right here or further up.
   *
   * @param looseNext whether what follows begins where nothing else does
   */
  private void gap(boolean looseNext) {
    if ((loose && looseNext) || random.nextInt(3) != 0) {
      gpa += (1 + random.nextLong(1 << random.nextInt(20))) * PAGE;
      loose = false;
    }
    loose |= looseNext;
  }

  private void slot(long hva, long pages) {
    int id;
    do {
      id = random.nextInt(5) == 0 ? random.nextInt(32_700) : random.nextInt(40);
    } while (!ids.add(id));
    int flags = random.nextInt(4) == 0 ? OwnMachine.READONLY : 0;
    flags |= random.nextInt(4) == 0 ? OwnMachine.LOGGED : 0;
    machine.set(new Slot(id, flags, gpa, pages * PAGE, hva));
    gpa += pages * PAGE;
  }
}
