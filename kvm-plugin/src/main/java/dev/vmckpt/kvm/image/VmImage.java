// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import java.util.List;
import java.util.Map;

/**
 * A virtual machine: everything of it that is no vcpu's.
 *
 * @param groups its state: the structures of KVM_GET_*, by the name of the group ({@code irqchip},
 *     {@code pit}, {@code clock} …)
 * @param slots its memory slots
 * @param irqFds eventfds that raise an interrupt
 * @param ioEventFds eventfds that guest accesses signal
 * @param settings what was set and cannot be read back
 * @param realtimeNanos the host's CLOCK_REALTIME when it was recorded, in nanoseconds
 * @param hostTscKhz the frequency of the time stamp counter it ran with, 0 if unknown
 */
public record VmImage(
    Map<String, byte[]> groups,
    List<SlotImage> slots,
    List<IrqFdImage> irqFds,
    List<IoEventFdImage> ioEventFds,
    SettingsImage settings,
    long realtimeNanos,
    int hostTscKhz) {}
