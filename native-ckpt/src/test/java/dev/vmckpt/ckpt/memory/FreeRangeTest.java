// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** The free range is free, whatever is taken. */
class FreeRangeTest {
  private static final long SIZE = 1 << 20;

  @Test
  void neverTouchesWhatIsTaken() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int round = 0; round < 200; round++) {
      FreeRange range = new FreeRange();
      long[][] taken = new long[100][];
      for (int i = 0; i < taken.length; i++) {
        long start = (1L << 32) + ((random.nextLong() >>> 1) % (1L << 36)) / 4096 * 4096;
        taken[i] = new long[] {start, start + (1L + random.nextInt(1 << 18)) * 4096};
        range.take(taken[i][0], taken[i][1]);
      }
      long found = range.find(SIZE).value();
      for (long[] one : taken) {
        assertThat(found + SIZE <= one[0] || one[1] <= found).as("seed " + seed).isTrue();
      }
    }
  }
}
