// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * Exceptions, interrupts and NMIs under way, system management mode (struct kvm_vcpu_events). Last:
 * setting other groups can queue or drop an event.
 */
final class VcpuEvents extends StructGroup {
  VcpuEvents() {
    super(
        "vcpu-events",
        KvmCap.VCPU_EVENTS,
        KvmIoctl.GET_VCPU_EVENTS,
        KvmIoctl.SET_VCPU_EVENTS,
        KvmLayout.VCPU_EVENTS);
  }
}
