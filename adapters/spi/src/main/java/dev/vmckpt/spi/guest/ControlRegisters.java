// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import java.util.List;

/**
 * The control registers of a processor.
 *
 * @param cr8 the task priority, 0 to 15
 * @param efer the MSR 0xc0000080
 * @param xcr0 the state components that are enabled; 1 where there is no XSAVE
 * @param pdptrs the four page-directory pointers of PAE paging as the processor holds them, or
 *     empty if they have to be read from memory
 */
public record ControlRegisters(
    long cr0, long cr2, long cr3, long cr4, long cr8, long efer, long xcr0, List<Long> pdptrs) {
  /** Protection Enable. */
  public static final long CR0_PE = 1;

  /** Paging. */
  public static final long CR0_PG = 1L << 31;

  /** Page Size Extension: 4 MiB pages in 32-bit paging. */
  public static final long CR4_PSE = 1 << 4;

  /** Physical Address Extension. */
  public static final long CR4_PAE = 1 << 5;

  /** 57-bit linear addresses. */
  public static final long CR4_LA57 = 1 << 12;

  /** Long Mode Active. */
  public static final long EFER_LMA = 1 << 10;

  /** Execute disable. */
  public static final long EFER_NXE = 1 << 11;

  /** How linear addresses become physical ones. */
  public Paging paging() {
    if ((cr0 & CR0_PG) == 0) {
      return Paging.NONE;
    }
    if ((efer & EFER_LMA) != 0) {
      return (cr4 & CR4_LA57) != 0 ? Paging.FIVE_LEVEL : Paging.FOUR_LEVEL;
    }
    return (cr4 & CR4_PAE) != 0 ? Paging.PAE : Paging.THIRTY_TWO_BIT;
  }

  /** The paging modes of x86. */
  public enum Paging {
    NONE,
    THIRTY_TWO_BIT,
    PAE,
    FOUR_LEVEL,
    FIVE_LEVEL
  }
}
