// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.memory.PagesFile.Extent;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.image.FileEntry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file of pages and its table: whole, damaged anywhere, cut short anywhere. */
class PagesFileTest {
  private static final int PAGE = PageScan.PAGE;

  @TempDir Path folder;
  private final byte[] pages = new byte[8 * PAGE];
  private byte[] table = new byte[0];

  @BeforeEach
  void write() throws IOException {
    new Random(1).nextBytes(pages);
    System.arraycopy(PagesFile.header().array(), 0, pages, 0, PagesFile.HEADER_BYTES);
    table = PagesFile.encode(new Extent[] {extent(1, 2), extent(4, 1), extent(5, 3)});
    Files.createDirectories(folder.resolve("memory"));
    put();
  }

  private Extent extent(int page, int count) {
    CRC32C crc = new CRC32C();
    crc.update(pages, page * PAGE, count * PAGE);
    return new Extent((long) page * PAGE, (long) count * PAGE, (int) crc.getValue());
  }

  private void put() throws IOException {
    Files.write(folder.resolve("memory/7"), pages);
    Files.write(folder.resolve("memory/7.extents"), table);
  }

  private void verify() {
    byte[] right = PagesFile.encode(new Extent[] {extent(1, 2), extent(4, 1), extent(5, 3)});
    FileEntry entry = new FileEntry(pages.length, PagesFile.crc(right, right.length), 0);
    PagesFile.verify(folder, "memory/7", entry, ProgressListener.SILENT);
  }

  @Test
  void wholeFilesAreRight() {
    assertThatCode(this::verify).doesNotThrowAnyException();
  }

  @Test
  void anyDamagedByteOfDataIsFound() throws IOException {
    CRC32C before = new CRC32C();
    before.update(table);
    FileEntry entry = new FileEntry(pages.length, (int) before.getValue(), 0);
    for (int page : new int[] {1, 2, 4, 7}) {
      pages[page * PAGE + 17] ^= 1;
      put();
      assertThatThrownBy(() -> PagesFile.verify(folder, "memory/7", entry, ProgressListener.SILENT))
          .isInstanceOf(SnapshotException.class)
          .hasMessageContaining("damaged");
      pages[page * PAGE + 17] ^= 1;
    }
  }

  @Test
  void randomDamageOfTheTableIsNeverTakenForRight() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] right = table.clone();
    for (int round = 0; round < 300; round++) {
      table = right.clone();
      if (random.nextInt(4) == 0) {
        table = java.util.Arrays.copyOf(right, random.nextInt(right.length));
      } else {
        table[random.nextInt(table.length)] ^= (byte) (1 << random.nextInt(8));
      }
      put();
      assertThatThrownBy(this::verify).as("seed " + seed).isInstanceOf(SnapshotException.class);
    }
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    Files.delete(folder.resolve("memory/7.extents"));
    assertThatThrownBy(this::verify)
        .isInstanceOfSatisfying(
            SnapshotException.class,
            e -> assertThat(e.fault()).isEqualTo(SnapshotException.Fault.MISSING))
        .hasMessageContaining("7.extents");
  }
}
