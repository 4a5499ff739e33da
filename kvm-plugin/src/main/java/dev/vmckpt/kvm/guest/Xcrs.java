// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;

/**
 * struct kvm_xcrs: the extended control registers.
 *
 * <pre>
 * 0 nr_xcrs  4 flags  8 sixteen of: 0 xcr  8 value  16      264 padding  392
 * </pre>
 */
final class Xcrs {
  static final int BYTES = KvmLayout.XCRS;
  static final int ENTRIES = 8;
  static final int ENTRY_BYTES = 16;
  static final int VALUE = 8;
  private static final int MAXIMUM = 16;

  private Xcrs() {}

  /** XCR0, or {@code otherwise} if it is not among them. */
  static long xcr0(Group group, long otherwise) {
    long count = group.ofLength(BYTES).u32(0);
    if (count > MAXIMUM) {
      throw group.wrong("counts " + count + " registers where " + MAXIMUM + " have room");
    }
    for (int i = 0; i < count; i++) {
      int at = ENTRIES + ENTRY_BYTES * i;
      if (group.u32(at) == 0) {
        return group.u64(at + VALUE);
      }
    }
    return otherwise;
  }
}
