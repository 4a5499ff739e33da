// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What the self-check guest has written to its disk, as read from outside; the layout is that of
 * {@code guest/disk.inc}.
 *
 * <p>Sectors are written one after the other, over and over. At any instant those up to some sector
 * are of one round and all others of the round before: anything else is a write that was lost, came
 * late or was torn.
 *
 * @param written how many sectors were written, in all rounds together, to the disk as it is
 * @param errors what is wrong with it
 */
public record SelfcheckDisk(long written, List<String> errors) {
  private static final int FIRST = 2048;
  private static final int SECTORS = 256;
  private static final int BYTES = 512;
  private static final int WORDS = BYTES / Long.BYTES;
  private static final long MAGIC = 0x006b636b66636c73L;
  private static final long STEP = 0x9e3779b97f4a7c15L;
  private static final long ROUND_STEP = 0xd1342543de82ef95L;

  /**
   * Reads a disk. It may be in use: then the answer is of no one instant, and nothing can be said
   * of its errors.
   *
   * @param image the raw disk
   */
  public static SelfcheckDisk read(Path image) {
    ByteBuffer all;
    try {
      all = ByteBuffer.wrap(Files.readAllBytes(image)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<String> errors = new ArrayList<>();
    long first = roundOf(all, 0);
    int current = 0;
    for (int sector = 0; sector < SECTORS; sector++) {
      long round = roundOf(all, sector);
      if (!isWhole(all, sector, round)) {
        errors.add("sector " + sector + " is not what was written in round " + round);
      }
      if (round == first && current == sector) {
        current++;
      } else if (round != first - 1) {
        errors.add("sector " + sector + " is of round " + round + ", sector 0 of " + first);
      }
    }
    long written = first == 0 ? 0 : (first - 1) * SECTORS + current;
    return new SelfcheckDisk(written, List.copyOf(errors));
  }

  private static long word(ByteBuffer all, int sector, int word) {
    return all.getLong((FIRST + sector) * BYTES + word * Long.BYTES);
  }

  private static long roundOf(ByteBuffer all, int sector) {
    return word(all, sector, 2);
  }

  private static boolean isWhole(ByteBuffer all, int sector, long round) {
    long[] expected = new long[WORDS];
    if (round != 0) {
      expected[0] = MAGIC;
      expected[1] = sector;
      expected[2] = round;
      long sum = MAGIC + sector + round;
      long seed = round * ROUND_STEP + (long) sector * SECTORS * STEP;
      for (int i = 4; i < WORDS; i++) {
        seed += STEP;
        expected[i] = Long.rotateLeft(seed, 29) ^ seed;
        sum += expected[i];
      }
      expected[3] = sum;
    }
    for (int i = 0; i < WORDS; i++) {
      if (word(all, sector, i) != expected[i]) {
        return false;
      }
    }
    return true;
  }
}
