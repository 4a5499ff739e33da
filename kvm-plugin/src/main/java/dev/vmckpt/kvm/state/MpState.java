// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * Whether the vcpu runs, is halted, or waits for INIT or SIPI (struct kvm_mp_state). Behind the
 * local APIC, which a vcpu that waits for SIPI is looked up in.
 */
final class MpState extends StructGroup {
  MpState() {
    super(
        "mp-state",
        Capabilities.ALWAYS,
        KvmIoctl.GET_MP_STATE,
        KvmIoctl.SET_MP_STATE,
        KvmLayout.MP_STATE);
  }
}
