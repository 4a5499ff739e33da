// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * The clock KVM shows to its guests (struct kvm_clock_data), in nanoseconds. Before the vcpus'
 * TSCs, whose offsets are reckoned against it. {@link ClockRule} says how it is set; as it was read
 * it is set where it stood.
 */
final class Clock extends StructGroup {
  Clock() {
    super("clock", KvmCap.ADJUST_CLOCK, KvmIoctl.GET_CLOCK, KvmIoctl.SET_CLOCK, KvmLayout.CLOCK);
  }
}
