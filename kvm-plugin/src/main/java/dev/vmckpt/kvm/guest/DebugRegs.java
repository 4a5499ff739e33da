// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.DebugRegisters;

/**
 * struct kvm_debugregs.
 *
 * <pre>
 * 0 db[4]  32 dr6  40 dr7  48 flags  56 reserved  128
 * </pre>
 */
final class DebugRegs {
  static final int BYTES = KvmLayout.DEBUGREGS;
  static final int DR6 = 32;
  static final int DR7 = 40;

  private DebugRegs() {}

  static DebugRegisters read(Group group) {
    Group g = group.ofLength(BYTES);
    return new DebugRegisters(g.u64(0), g.u64(8), g.u64(16), g.u64(24), g.u64(DR6), g.u64(DR7));
  }
}
