// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import java.util.List;

/**
 * A virtual machine as its guest knows it, at the instant of the snapshot.
 *
 * @param vcpus its processors, ascending by id
 * @param memory its guest-physical memory, ascending by address space and gpa
 * @param devices what of its platform ran inside the hypervisor and not in the monitor
 * @param clock its time
 */
public record GuestImage(
    List<VcpuState> vcpus,
    List<MemoryRegion> memory,
    List<GuestDevice> devices,
    GuestClock clock) {}
