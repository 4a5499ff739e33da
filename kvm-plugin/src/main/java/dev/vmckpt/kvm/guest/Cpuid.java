// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.CpuidLeaf;
import java.util.ArrayList;
import java.util.List;

/**
 * struct kvm_cpuid2.
 *
 * <pre>
 * 0 nent  4 padding  8 nent of: 0 function  4 index  8 flags  12 eax  16 ebx  20 ecx  24 edx  40
 * </pre>
 */
final class Cpuid {
  static final int ENTRIES = KvmLayout.CPUID_HEADER;
  static final int ENTRY_BYTES = KvmLayout.CPUID_ENTRY;
  static final int INDEX = 4;
  static final int FLAGS = 8;
  static final int EAX = 12;
  static final int EBX = 16;
  static final int ECX = 20;
  static final int EDX = 24;
  private static final int SIGNIFICANT_INDEX = 1;

  private Cpuid() {}

  static List<CpuidLeaf> read(Group group) {
    int count = group.entries(ENTRIES, ENTRY_BYTES);
    List<CpuidLeaf> leaves = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int at = ENTRIES + ENTRY_BYTES * i;
      boolean indexed = (group.s32(at + FLAGS) & SIGNIFICANT_INDEX) != 0;
      leaves.add(
          new CpuidLeaf(
              group.s32(at),
              indexed ? group.s32(at + INDEX) : -1,
              group.s32(at + EAX),
              group.s32(at + EBX),
              group.s32(at + ECX),
              group.s32(at + EDX)));
    }
    return leaves;
  }
}
