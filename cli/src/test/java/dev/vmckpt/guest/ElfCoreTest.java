// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.memory.SavedMemory;
import dev.vmckpt.kit.Commands;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.GuestClock;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.MemoryRegion;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.store.Samples;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Cores of sizes that a small guest does not have. */
class ElfCoreTest {
  private static final int PAGE = SavedPages.PAGE;
  private static final long HVA = 0x7f0000000000L;
  private static final long HIGH = 0xffff900000000000L;
  private static final int MANY = 70_000;

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void moreRangesThanAHeaderCanCount() throws Exception {
    List<Mapping> ranges = new ArrayList<>();
    for (int i = 0; i < MANY; i++) {
      // Every other page of the linear addresses shows one of two pages.
      ranges.add(new Mapping(HIGH + 2L * PAGE * i, (long) PAGE * (i & 1), PAGE, Mapping.READ));
    }
    Path core = folder.resolve("core");
    write(core, 2 * PAGE, ranges, Map.of(0, filled(0x5a), 1, filled(0xa5)));

    String headers = Commands.execute("readelf", "--wide", "--file-header", core.toString());
    assertThat(headers).contains("65535 (" + (MANY + 1) + ")").doesNotContain("Warning");
    String last = "0x" + Long.toHexString(HIGH + 2L * PAGE * (MANY - 1) + 0xff8);
    String text =
        Commands.execute("gdb", "-nx", "-batch", "-ex", "x/4xb " + last, "-core", core.toString());
    assertThat(text).contains("\t0xa5\t0xa5\t0xa5\t0xa5");
  }

  @Test
  void aGuestOfManyGigabytesIsMostlyHoles() throws Exception {
    long bytes = 64L << 30;
    Path core = folder.resolve("core");
    int lastPage = (int) (bytes / PAGE - 1);
    write(
        core,
        bytes,
        List.of(new Mapping(0, 0, bytes, Mapping.READ)),
        Map.of(0, filled(1), lastPage - 1, filled(2)));
    assertThat(Files.size(core)).isGreaterThan(bytes).isLessThan(bytes + (1 << 20));
    String blocks = Commands.execute("stat", "-c", "%b", core.toString()).strip();
    assertThat(Long.parseLong(blocks) * 512).isLessThan(1 << 20);
    String at = "0x" + Long.toHexString(bytes - 2L * PAGE);
    String text =
        Commands.execute("gdb", "-nx", "-batch", "-ex", "x/2xb " + at, "-core", core.toString());
    assertThat(text).contains("\t0x02\t0x02");
  }

  private static byte[] filled(int value) {
    byte[] page = new byte[PAGE];
    Arrays.fill(page, (byte) value);
    return page;
  }

  private void write(Path core, long bytes, List<Mapping> ranges, Map<Integer, byte[]> content)
      throws Exception {
    SavedPages pages = new SavedPages(folder);
    pages.area(HVA, bytes, Source.ANONYMOUS, null, 0, -1, new java.util.TreeMap<>(content));
    pages.finish();
    RemoteAddress none = RemoteAddress.NULL;
    MemoryImage image =
        new MemoryImage(SavedPages.FILE, Samples.layout(), none, none, pages.areas());
    MemoryRegion region =
        new MemoryRegion(
            0, 0, 0, bytes, new RemoteAddress(HVA), false, false, Finding.Source.FOUND);
    GuestImage guest =
        new GuestImage(List.of(), List.of(region), List.of(), new GuestClock(0, 0, 0, 0));
    ControlRegisters control = new ControlRegisters(1, 0, 0, 0, 0, 0, 1, List.of());
    try (SavedMemory saved = new SavedMemory(folder, image, List.of());
        FileChannel file =
            FileChannel.open(core, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      new ElfCore(List.of(PageTablesTest.vcpu(control)), new GuestMemory(guest, saved), ranges)
          .write(file, ProgressListener.SILENT);
    }
  }
}
