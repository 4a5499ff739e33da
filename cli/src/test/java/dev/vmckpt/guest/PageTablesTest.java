// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.ckpt.memory.SavedMemory;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.guest.Activity;
import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.ControlRegisters.Paging;
import dev.vmckpt.spi.guest.DescriptorTable;
import dev.vmckpt.spi.guest.GeneralRegisters;
import dev.vmckpt.spi.guest.GuestClock;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.MemoryRegion;
import dev.vmckpt.spi.guest.Segment;
import dev.vmckpt.spi.guest.SegmentRegisters;
import dev.vmckpt.spi.guest.VcpuState;
import dev.vmckpt.spi.image.AreaImage.Source;
import dev.vmckpt.spi.image.MemoryImage;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.store.Samples;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Page tables of every kind, filled at random, walked as a whole and compared with a translation of
 * single addresses, which is written in another way; and tables that nobody would want to walk.
 */
class PageTablesTest {
  private static final int PAGE = SavedPages.PAGE;
  private static final int PAGES = 256;
  private static final List<Paging> KINDS = List.of(Paging.values());
  private static final long HVA = 0x7f0000000000L;

  @TempDir Path folder = Path.of("/nonexistent");
  private final byte[] ram = new byte[PAGES * PAGE];
  private final ByteBuffer memory = ByteBuffer.wrap(ram).order(ByteOrder.LITTLE_ENDIAN);
  private int files;

  @Test
  void everyKindOfPagingIsWalkedAsTheProcessorDoes() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (Paging paging : Paging.values()) {
      for (int round = 0; round < 6; round++) {
        ControlRegisters control = randomTables(random, paging);
        assertThat(control.paging()).isEqualTo(paging);
        compare(control, random, paging + ", seed " + seed);
      }
    }
  }

  private void compare(ControlRegisters control, Random random, String name) throws IOException {
    try (SavedMemory saved = saved()) {
      List<Mapping> mappings = PageTables.of(vcpu(control), memory(saved));
      assertThat(mappings).as(name).isNotEmpty();
      TreeMap<Long, Mapping> byLinear = new TreeMap<>(Long::compareUnsigned);
      for (Mapping mapping : mappings) {
        byLinear.put(mapping.linear(), mapping);
        long last = mapping.bytes() - 1;
        long inside = (long) (random.nextDouble() * last);
        for (long offset : new long[] {0, inside, last}) {
          assertThat(translate(control, mapping.linear() + offset))
              .as("%s, %x in %s", name, mapping.linear() + offset, mapping)
              .isEqualTo(mapping.gpa() + offset);
        }
      }
      assertThat(byLinear).as(name).hasSameSizeAs(mappings);
      // What is mapped lies near what is mapped: look around every border.
      for (Mapping mapping : mappings) {
        for (long linear : new long[] {mapping.linear() - 1, mapping.linear() + mapping.bytes()}) {
          Map.Entry<Long, Mapping> entry = byLinear.floorEntry(linear);
          boolean found =
              entry != null
                  && Long.compareUnsigned(linear - entry.getKey(), entry.getValue().bytes()) < 0;
          long gpa = translate(control, linear);
          assertThat(found)
              .as("%s: %x is mapped to %x", name, linear, gpa)
              .isEqualTo(gpa >= 0 && gpa < ram.length);
        }
      }
    }
  }

  @Test
  void tablesThatShowThemselvesAreWalkedOnce() throws IOException {
    // As Windows has them: an entry of the top level is the top level itself.
    memory.putLong(0x1000 + 8 * 0x1ed, 0x1003);
    memory.putLong(0x1000, 0x2003);
    memory.putLong(0x2000, 0x3003);
    memory.putLong(0x3000, 0x4003);
    memory.putLong(0x4000, 0x5003);
    try (SavedMemory saved = saved()) {
      ControlRegisters control = control(Paging.FOUR_LEVEL, 0x1000);
      assertThat(PageTables.of(vcpu(control), memory(saved)))
          .extracting(mapping -> Long.toHexString(mapping.linear()) + " " + mapping.gpa() / PAGE)
          .containsExactlyInAnyOrder(
              "0 5",
              "fffff68000000000 4",
              "fffff6fb40000000 3",
              "fffff6fb7da00000 2",
              "fffff6fb7dbed000 1");
    }
  }

  @Test
  void tablesWithoutAnEndAreGivenUp() throws IOException {
    for (int entry = 0; entry < 512; entry++) {
      memory.putLong(0x1000 + 8 * entry, 0x1003);
    }
    try (SavedMemory saved = saved()) {
      ControlRegisters control = control(Paging.FIVE_LEVEL, 0x1000);
      assertThatThrownBy(() -> PageTables.of(vcpu(control), memory(saved)))
          .isInstanceOf(FailureException.class)
          .hasMessageContaining("leave --virtual out");
    }
  }

  @Test
  void tablesOutsideOfMemoryMapNothing() throws IOException {
    try (SavedMemory saved = saved()) {
      for (Paging paging : Paging.values()) {
        if (paging != Paging.NONE) {
          ControlRegisters control = control(paging, 0x7ffffffff000L);
          assertThat(PageTables.of(vcpu(control), memory(saved))).as(paging.name()).isEmpty();
        }
      }
    }
  }

  @Test
  void anyContentIsWalked() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int round = 0; round < 40; round++) {
      random.nextBytes(ram);
      for (int i = 0; i < PAGES * 16; i++) {
        // Some entries lead somewhere.
        long entry = (long) random.nextInt(PAGES) * PAGE | (random.nextInt(256) & 0x83);
        memory.putLong(8 * random.nextInt(ram.length / 8), entry);
      }
      try (SavedMemory saved = saved()) {
        Paging paging = KINDS.get(random.nextInt(KINDS.size()));
        ControlRegisters control = control(paging, (long) random.nextInt(PAGES) * PAGE);
        for (Mapping mapping : PageTables.of(vcpu(control), memory(saved))) {
          assertThat(mapping.bytes()).as("seed " + seed).isPositive();
          assertThat(mapping.gpa() + mapping.bytes())
              .as("seed " + seed)
              .isLessThanOrEqualTo(ram.length);
        }
      } catch (FailureException e) {
        assertThat(e).as("seed " + seed).hasMessageContaining("--virtual");
      }
    }
  }

  /** Some tables, none twice in the tree, so that a walk stays short. */
  private ControlRegisters randomTables(Random random, Paging paging) {
    java.util.Arrays.fill(ram, (byte) 0);
    int next = 1;
    int levels =
        switch (paging) {
          case NONE -> 0;
          case THIRTY_TWO_BIT -> 2;
          case PAE -> 3;
          case FOUR_LEVEL -> 4;
          case FIVE_LEVEL -> 5;
        };
    long root = (long) next++ * PAGE;
    List<Long> tables = List.of(root);
    for (int level = levels; level > 0; level--) {
      List<Long> below = new java.util.ArrayList<>();
      for (long table : tables) {
        boolean narrow = paging == Paging.THIRTY_TWO_BIT;
        int count = paging == Paging.PAE && level == 3 ? 4 : narrow ? 1024 : 512;
        for (int i = 0; i < (level == 1 ? 40 : 5); i++) {
          int index = random.nextInt(4) == 0 ? count - 1 : random.nextInt(count);
          boolean top = paging == Paging.PAE && level == 3;
          boolean page = level > 1 && level <= (narrow ? 2 : 3) && !top && random.nextInt(4) == 0;
          long flags = 1 | (top ? 0 : random.nextInt(4) << 1) | (page ? 0x80 : 0);
          long entry;
          if (level == 1) {
            entry = (long) random.nextInt(PAGES + 20) * PAGE | flags;
          } else if (page) {
            entry = random.nextInt(3) == 0 ? 0x40000000L | flags : flags;
          } else {
            entry = (long) next * PAGE | flags;
            below.add((long) next * PAGE);
            next = Math.min(next + 1, PAGES - 1);
          }
          int at = (int) table + index * (narrow ? 4 : 8);
          if (narrow) {
            memory.putInt(at, (int) entry);
          } else {
            memory.putLong(at, entry | (random.nextInt(5) == 0 && !top ? 1L << 63 : 0));
          }
        }
      }
      tables = below;
    }
    return control(paging, root);
  }

  private static ControlRegisters control(Paging paging, long cr3) {
    long pg = ControlRegisters.CR0_PG | ControlRegisters.CR0_PE;
    long lma = ControlRegisters.EFER_LMA | ControlRegisters.EFER_NXE;
    long pae = ControlRegisters.CR4_PAE;
    return switch (paging) {
      case NONE -> new ControlRegisters(1, 0, cr3, 0, 0, 0, 1, List.of());
      case THIRTY_TWO_BIT ->
          new ControlRegisters(pg, 0, cr3, ControlRegisters.CR4_PSE, 0, 0, 1, List.of());
      case PAE -> new ControlRegisters(pg, 0, cr3, pae, 0, 0, 1, List.of());
      case FOUR_LEVEL -> new ControlRegisters(pg, 0, cr3, pae, 0, lma, 1, List.of());
      case FIVE_LEVEL ->
          new ControlRegisters(pg, 0, cr3, pae | ControlRegisters.CR4_LA57, 0, lma, 1, List.of());
    };
  }

  /** What one linear address is, bit by bit; -1 for nothing. */
  private long translate(ControlRegisters control, long linear) {
    Paging paging = control.paging();
    if (paging == Paging.NONE) {
      return linear >= 0 && linear < ram.length ? linear : -1;
    }
    if (paging == Paging.THIRTY_TWO_BIT || paging == Paging.PAE) {
      if (linear >>> 32 != 0) {
        return -1;
      }
    } else {
      int width = paging == Paging.FOUR_LEVEL ? 48 : 57;
      if (linear >> (width - 1) != 0 && linear >> (width - 1) != -1) {
        return -1;
      }
    }
    return switch (paging) {
      case THIRTY_TWO_BIT -> {
        long upper = entry(control.cr3() + (linear >>> 22) * 4) & 0xffffffffL;
        if ((upper & 1) == 0) {
          yield -1;
        }
        if ((upper & 0x80) != 0) {
          yield (upper & 0xffc00000L) + (linear & 0x3fffff);
        }
        long lower = entry((upper & 0xfffff000L) + ((linear >>> 12) & 0x3ff) * 4) & 0xffffffffL;
        yield (lower & 1) == 0 ? -1 : (lower & 0xfffff000L) + (linear & 0xfff);
      }
      case PAE -> below(2, entry(control.cr3() + (linear >>> 30) * 8), linear);
      case FOUR_LEVEL -> below(4, control.cr3() | 1, linear);
      default -> below(5, control.cr3() | 1, linear);
    };
  }

  /** What an entry above a table of some level makes of an address. */
  private long below(int level, long above, long linear) {
    if ((above & 1) == 0) {
      return -1;
    }
    long table = above & 0xffffffffff000L;
    int shift = 12 + 9 * (level - 1);
    long entry = entry(table + ((linear >>> shift) & 511) * 8);
    if ((entry & 1) != 0 && (level == 1 || (level <= 3 && (entry & 0x80) != 0))) {
      long base = (entry & 0xffffffffff000L) >>> shift << shift;
      return base + (linear & ((1L << shift) - 1));
    }
    return level == 1 ? -1 : below(level - 1, entry, linear);
  }

  private long entry(long at) {
    return at >= 0 && at <= ram.length - 8
        ? memory.getLong((int) at)
        : at >= 0 && at <= ram.length - 4 ? memory.getInt((int) at) : 0;
  }

  private SavedMemory saved() throws IOException {
    Path place = folder.resolve("snapshot" + files++);
    SavedPages pages = new SavedPages(place);
    Map<Integer, byte[]> content = new TreeMap<>();
    for (int page = 0; page < PAGES; page++) {
      byte[] bytes = new byte[PAGE];
      System.arraycopy(ram, page * PAGE, bytes, 0, PAGE);
      if (!java.util.Arrays.equals(bytes, new byte[PAGE])) {
        content.put(page, bytes);
      }
    }
    pages.area(HVA, ram.length, Source.ANONYMOUS, null, 0, -1, content);
    pages.finish();
    RemoteAddress none = RemoteAddress.NULL;
    return new SavedMemory(
        place,
        new MemoryImage(SavedPages.FILE, Samples.layout(), none, none, pages.areas()),
        List.of());
  }

  private GuestMemory memory(SavedMemory saved) {
    MemoryRegion region =
        new MemoryRegion(
            0, 0, 0, ram.length, new RemoteAddress(HVA), false, false, Finding.Source.FOUND);
    return new GuestMemory(
        new GuestImage(List.of(), List.of(region), List.of(), new GuestClock(0, 0, 0, 0)), saved);
  }

  static VcpuState vcpu(ControlRegisters control) {
    Segment flat = new Segment(0, 0, -1, 3, true, 0, true, false, false, true, true, false);
    return new VcpuState(
        0,
        Activity.RUNNING,
        new GeneralRegisters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        new SegmentRegisters(flat, flat, flat, flat, flat, flat, flat, flat),
        new DescriptorTable(0, 0),
        new DescriptorTable(0, 0),
        control,
        null,
        0,
        null,
        null,
        List.of(),
        List.of(),
        null,
        0);
  }
}
