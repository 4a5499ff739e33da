// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/** The debug registers (struct kvm_debugregs). Anywhere behind CPUID. */
final class DebugRegs extends StructGroup {
  DebugRegs() {
    super(
        "debugregs",
        KvmCap.DEBUGREGS,
        KvmIoctl.GET_DEBUGREGS,
        KvmIoctl.SET_DEBUGREGS,
        KvmLayout.DEBUGREGS);
  }
}
