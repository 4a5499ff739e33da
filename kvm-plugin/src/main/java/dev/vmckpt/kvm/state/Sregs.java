// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * Segments, control registers, EFER and the APIC base (struct kvm_sregs). Before everything that
 * depends on the mode the processor is in: the local APIC's registers (x2APIC or not), the nested
 * state (EFER.SVME), the MSRs. Behind CPUID, which says which bits may be set. Where {@link Sregs2}
 * is offered that is set in its place.
 */
final class Sregs extends StructGroup {
  Sregs() {
    super("sregs", Capabilities.ALWAYS, KvmIoctl.GET_SREGS, KvmIoctl.SET_SREGS, KvmLayout.SREGS);
  }
}
