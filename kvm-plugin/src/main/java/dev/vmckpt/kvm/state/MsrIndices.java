// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Which MSRs are read: those KVM lists (KVM_GET_MSR_INDEX_LIST), and those it does not list but has
 * on some machine, by Intel's and AMD's manuals and arch/x86/include/asm/msr-index.h. One that a
 * machine does not have costs a failing call, half a microsecond.
 */
public final class MsrIndices {
  /** How many are asked for at once: a guest's CPUID may lack some. */
  private static final int CHUNK = 32;

  /** IA32_TIME_STAMP_COUNTER. */
  public static final int TSC = 0x10;

  /** IA32_TSC_DEADLINE. */
  static final int TSC_DEADLINE = 0x6e0;

  /** First and last, both included. */
  private static final int[][] UNLISTED = {
    {0x10, 0x12}, // TSC; the wall clock and system time of kvmclock under their old numbers
    {0x1b, 0x1b}, // APIC base
    {0x34, 0x34}, // SMI count
    {0x3a, 0x3b}, // feature control, TSC adjust
    {0x48, 0x48}, // speculation control
    {0x8b, 0x8b}, // microcode revision
    {0x9e, 0x9e}, // SMBASE
    {0xc1, 0xc8}, // performance counters
    {0xce, 0xcf}, // platform info, core capabilities
    {0xe1, 0xe1}, // UMWAIT control
    {0x10a, 0x10a}, // architecture capabilities
    {0x122, 0x122}, // TSX control
    {0x140, 0x140}, // miscellaneous features
    {0x174, 0x176}, // SYSENTER
    {0x179, 0x17b}, // machine check
    {0x186, 0x18d}, // performance event selectors
    {0x1a0, 0x1a0}, // miscellaneous enables
    {0x1c4, 0x1c5}, // extended feature disable
    {0x1d9, 0x1d9}, // debug control
    {0x200, 0x20f}, // variable MTRRs
    {0x250, 0x250}, // fixed MTRRs
    {0x258, 0x259},
    {0x268, 0x26f},
    {0x277, 0x277}, // PAT
    {0x280, 0x29f}, // machine check bank control 2
    {0x2ff, 0x2ff}, // MTRR default type
    {0x309, 0x30c}, // fixed performance counters
    {0x345, 0x345}, // performance capabilities
    {0x38d, 0x390}, // performance control and status
    {0x3f1, 0x3f2}, // PEBS
    {0x400, 0x47f}, // machine check banks
    {0x480, 0x491}, // VMX capabilities
    {0x4c1, 0x4c8}, // performance counters, full width
    {0x4d0, 0x4d0}, // local machine check
    {0x600, 0x600}, // debug store
    {0x6a0, 0x6a0}, // control flow enforcement
    {0x6a2, 0x6a2},
    {0x6a4, 0x6a8},
    {0x6e0, 0x6e0}, // TSC deadline
    {0xd90, 0xd90}, // bounds
    {0xda0, 0xda0}, // supervisor extended state
    {0x4b564d00, 0x4b564d08}, // paravirtual clock, page faults, steal time, end of interrupt
    {0xc0000080, 0xc0000084}, // EFER and system calls
    {0xc0000100, 0xc0000104}, // segment bases, TSC_AUX, TSC ratio
    {0xc0000300, 0xc0000303}, // AMD's global performance control
    {0xc0010000, 0xc0010007}, // AMD's performance counters
    {0xc0010015, 0xc0010015}, // hardware configuration
    {0xc001001f, 0xc001001f}, // north bridge configuration
    {0xc0010114, 0xc0010117}, // SVM
    {0xc001011f, 0xc001011f}, // virtual speculation control
    {0xc0010140, 0xc0010141}, // OS visible workarounds
    {0xc0010200, 0xc001020b}, // AMD's performance counters, more of them
    {0xc0011029, 0xc0011029}, // decode configuration
  };

  private MsrIndices() {}

  /**
   * All that are read, each once, in families of which a vcpu mostly has all or none: the listed
   * ones first, in KVM's order.
   *
   * @param listed what KVM lists; empty if it could not be asked
   */
  public static int[][] families(List<Integer> listed) {
    Set<Integer> taken = new HashSet<>(listed);
    List<int[]> families = new ArrayList<>();
    chunks(listed, families);
    for (int[] range : UNLISTED) {
      List<Integer> family = new ArrayList<>();
      // Compared by difference: numbers from 0xc0000000 on are negative.
      for (int index = range[0]; index - range[1] <= 0; index++) {
        if (taken.add(index)) {
          family.add(index);
        }
      }
      if (!family.isEmpty()) {
        families.add(array(family));
      }
    }
    return families.toArray(int[][]::new);
  }

  /**
   * The same ones, where it is known which a vcpu is likely to have: these many at a time, each of
   * the others alone.
   */
  static int[][] families(List<Integer> listed, Set<Integer> likely) {
    List<Integer> together = new ArrayList<>();
    List<int[]> alone = new ArrayList<>();
    for (int[] family : families(listed)) {
      for (int index : family) {
        if (likely.contains(index)) {
          together.add(index);
        } else {
          alone.add(new int[] {index});
        }
      }
    }
    List<int[]> families = new ArrayList<>();
    chunks(together, families);
    families.addAll(alone);
    return families.toArray(int[][]::new);
  }

  private static void chunks(List<Integer> indices, List<int[]> families) {
    for (int from = 0; from < indices.size(); from += CHUNK) {
      families.add(array(indices.subList(from, Math.min(indices.size(), from + CHUNK))));
    }
  }

  private static int[] array(List<Integer> indices) {
    return indices.stream().mapToInt(Integer::intValue).toArray();
  }

  /** The numbers a group of MSRs holds, in its order. */
  public static List<Integer> of(byte[] saved) {
    List<Integer> indices = new ArrayList<>();
    for (int i = 0; i < Msrs.count(saved); i++) {
      indices.add(Msrs.index(saved, i));
    }
    return indices;
  }
}
