// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.VcpuState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Walks the page tables of one processor: all of x86's kinds (Intel SDM volume 3, chapter 4).
 *
 * <pre>
 *              entry  bits of the linear address that choose it, level by level    pages
 * 32-bit         4    31–22  21–12                                                 4 KiB, 4 MiB
 * PAE            8    31–30  29–21  20–12                                          4 KiB, 2 MiB
 * four levels    8    47–39  38–30  29–21  20–12                                   4 KiB, 2 MiB, 1 GiB
 * five levels    8    56–48  47–39  38–30  29–21  20–12                            4 KiB, 2 MiB, 1 GiB
 *
 * an entry: 0 present  1 writable  7 (not in the last level) this is a page  12–51 address  63 no execution
 * </pre>
 *
 * The tables are the guest's and may say anything: one that lies where there is no memory is not
 * walked, and a guest whose tables have no end is told apart by counting.
 */
public final class PageTables {
  private static final long PRESENT = 1;
  private static final long WRITABLE = 2;
  private static final long IS_PAGE = 1 << 7;
  private static final long NO_EXECUTE = 1L << 63;
  private static final long ADDRESS = 0x000ffffffffff000L;
  private static final int PAGE = 4096;
  private static final int PAGE_SHIFT = 12;

  /** As many tables as a guest of two tebibytes in pages of 4 KiB has. */
  static final int MAX_TABLES = 1 << 20;

  /** Each becomes a program header of 56 bytes. */
  static final int MAX_MAPPINGS = 1 << 20;

  private final GuestMemory memory;
  private final ControlRegisters control;
  private final ControlRegisters.Paging paging;
  private final List<Mapping> mappings = new ArrayList<>();
  private int tables;

  private PageTables(GuestMemory memory, ControlRegisters control) {
    this.memory = memory;
    this.control = control;
    paging = control.paging();
  }

  /**
   * Everything a processor's page tables map to memory of the guest, ascending as unsigned numbers.
   *
   * @return what is mapped; linear addresses are physical ones while paging is off
   * @throws FailureException if the tables go on for longer than is sensible
   */
  public static List<Mapping> of(VcpuState vcpu, GuestMemory memory) {
    PageTables walk = new PageTables(memory, vcpu.control());
    walk.start();
    return walk.mappings;
  }

  private void start() {
    long root = control.cr3() & ADDRESS;
    int access = Mapping.READ | Mapping.WRITE | Mapping.EXECUTE;
    switch (paging) {
      case NONE -> {
        for (GuestRange range : memory.present()) {
          add(new Mapping(range.gpa(), range.gpa(), range.bytes(), access));
        }
      }
      case THIRTY_TWO_BIT -> walk(2, root & 0xffffffffL, 0, access);
      case PAE -> startPae(access);
      case FOUR_LEVEL -> walk(4, root, 0, access);
      case FIVE_LEVEL -> walk(5, root, 0, access);
    }
  }

  /** The four entries of the top level, which give no access and take none. */
  private void startPae(int access) {
    ByteBuffer pointers = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
    if (control.pdptrs().size() == 4) {
      for (int i = 0; i < 4; i++) {
        pointers.putLong(8 * i, control.pdptrs().get(i));
      }
    } else {
      memory.read(control.cr3() & 0xffffffe0L, pointers);
    }
    for (int i = 0; i < 4; i++) {
      long entry = pointers.getLong(8 * i);
      if ((entry & PRESENT) != 0) {
        walk(2, entry & ADDRESS, (long) i << 30, access);
      }
    }
  }

  /**
   * Walks one table.
   *
   * @param level 1 for the last
   * @param linear the first linear address it tells of
   * @param above what the levels above allow
   */
  private void walk(int level, long table, long linear, int above) {
    if (!memory.holds(table, PAGE)) {
      return;
    }
    if (++tables > MAX_TABLES) {
      throw tooMany("have no end");
    }
    ByteBuffer entries = ByteBuffer.allocate(PAGE).order(ByteOrder.LITTLE_ENDIAN);
    if (!memory.read(table, entries)) {
      return;
    }
    boolean narrow = paging == ControlRegisters.Paging.THIRTY_TWO_BIT;
    int count = narrow ? 1024 : 512;
    int shift = PAGE_SHIFT + (narrow ? 10 : 9) * (level - 1);
    for (int i = 0; i < count; i++) {
      long entry = narrow ? entries.getInt(4 * i) & 0xffffffffL : entries.getLong(8 * i);
      if ((entry & PRESENT) == 0) {
        continue;
      }
      long at = canonical(linear | (long) i << shift);
      int access = access(above, entry, narrow);
      if (level == 1) {
        page(at, entry & ADDRESS, PAGE, access);
      } else if (isPage(level, entry)) {
        page(at, pageAddress(entry, shift, narrow), 1L << shift, access);
      } else {
        walk(level - 1, entry & ADDRESS, at, access);
      }
    }
  }

  private boolean isPage(int level, long entry) {
    boolean allowed =
        paging == ControlRegisters.Paging.THIRTY_TWO_BIT
            ? (control.cr4() & ControlRegisters.CR4_PSE) != 0
            : level <= 3;
    return allowed && (entry & IS_PAGE) != 0;
  }

  private static long pageAddress(long entry, int shift, boolean narrow) {
    if (narrow) {
      // PSE-36: bits 13 to 20 are bits 32 to 39 of the address.
      return (entry & 0xffc00000L) | (entry >> 13 & 0xff) << 32;
    }
    return entry & ADDRESS & -(1L << shift);
  }

  private int access(int above, long entry, boolean narrow) {
    int access = above;
    if ((entry & WRITABLE) == 0) {
      access &= ~Mapping.WRITE;
    }
    boolean canForbid = !narrow && (control.efer() & ControlRegisters.EFER_NXE) != 0;
    if (canForbid && (entry & NO_EXECUTE) != 0) {
      access &= ~Mapping.EXECUTE;
    }
    return access;
  }

  /** The upper half of the linear addresses is at the very top. */
  private long canonical(long linear) {
    return switch (paging) {
      case FOUR_LEVEL -> linear << 16 >> 16;
      case FIVE_LEVEL -> linear << 7 >> 7;
      default -> linear;
    };
  }

  /** Notes a page, as far as there is memory behind it. */
  private void page(long linear, long gpa, long bytes, int access) {
    for (GuestRange part : memory.within(gpa, bytes)) {
      add(new Mapping(linear + (part.gpa() - gpa), part.gpa(), part.bytes(), access));
    }
  }

  private void add(Mapping mapping) {
    int last = mappings.size() - 1;
    if (last >= 0 && mappings.get(last).touches(mapping)) {
      mappings.set(last, mappings.get(last).joined(mapping));
      return;
    }
    if (mappings.size() >= MAX_MAPPINGS) {
      throw tooMany("map more than " + MAX_MAPPINGS + " separate ranges");
    }
    mappings.add(mapping);
  }

  private static FailureException tooMany(String what) {
    return new FailureException(
        "the page tables of the guest " + what + "; leave --virtual out for its physical memory");
  }
}
