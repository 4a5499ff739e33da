// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.Msr;
import java.util.ArrayList;
import java.util.List;

/**
 * struct kvm_msrs.
 *
 * <pre>
 * 0 nmsrs  4 pad  8 nmsrs of: 0 index  4 reserved  8 data  16
 * </pre>
 */
final class Msrs {
  static final int ENTRIES = KvmLayout.MSRS_HEADER;
  static final int ENTRY_BYTES = KvmLayout.MSR_ENTRY;
  static final int DATA = 8;

  private Msrs() {}

  static List<Msr> read(Group group) {
    int count = group.entries(ENTRIES, ENTRY_BYTES);
    List<Msr> msrs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int at = ENTRIES + ENTRY_BYTES * i;
      msrs.add(new Msr(group.u32(at), group.u64(at + DATA)));
    }
    return msrs;
  }
}
