// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Ranges, against bit sets that cannot be wrong. */
class ExtentsTest {
  private static final int PAGES = 64;

  @Test
  void unionHoldsWhatEitherHolds() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int round = 0; round < 2000; round++) {
      BitSet a = random(random);
      BitSet b = random(random);
      BitSet either = (BitSet) a.clone();
      either.or(b);
      assertThat(bits(extents(a).union(extents(b)))).as("seed " + seed).isEqualTo(either);
      assertThat(extents(a).bytes()).as("seed " + seed).isEqualTo(a.cardinality());
    }
  }

  @Test
  void touchingRangesAreOne() {
    Extents extents = new Extents();
    extents.add(0, 2);
    extents.add(2, 5);
    extents.add(7, 7);
    extents.add(8, 9);
    assertThat(extents.count()).isEqualTo(2);
    assertThat(extents.end(0)).isEqualTo(5);
  }

  @Test
  void shortGapsAreBridged() {
    Extents extents = new Extents();
    extents.add(0, 2);
    extents.add(4, 5);
    extents.add(9, 12);
    assertThat(bits(extents.bridged(3)).toString()).isEqualTo("{0, 1, 2, 3, 4, 9, 10, 11}");
    assertThat(bits(extents.bridged(5)).cardinality()).isEqualTo(12);
    assertThat(bits(extents.bridged(1))).isEqualTo(bits(extents));
  }

  private static BitSet random(Random random) {
    BitSet bits = new BitSet();
    for (int at = 0; at < PAGES; ) {
      int end = at + 1 + random.nextInt(9);
      if (random.nextBoolean()) {
        bits.set(at, Math.min(end, PAGES));
      }
      at = end;
    }
    return bits;
  }

  private static Extents extents(BitSet bits) {
    Extents extents = new Extents();
    for (int i = bits.nextSetBit(0); i >= 0; i = bits.nextSetBit(i + 1)) {
      extents.add(i, i + 1);
    }
    return extents;
  }

  private static BitSet bits(Extents extents) {
    BitSet bits = new BitSet();
    for (int i = 0; i < extents.count(); i++) {
      bits.set((int) extents.start(i), (int) extents.end(i));
    }
    return bits;
  }
}
