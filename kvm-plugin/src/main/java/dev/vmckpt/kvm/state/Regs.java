// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * The general registers (struct kvm_regs). After the nested state, which brings its own instruction
 * pointer, and after the control registers: RFLAGS.VM is looked at in their light.
 */
final class Regs extends StructGroup {
  Regs() {
    super("regs", Capabilities.ALWAYS, KvmIoctl.GET_REGS, KvmIoctl.SET_REGS, KvmLayout.REGS);
  }
}
