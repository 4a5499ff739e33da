// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * A memory slot (struct kvm_userspace_memory_region).
 *
 * @param id its number, without the address space
 * @param addressSpace 0, or 1 for system management mode
 * @param flags KVM_MEM_LOG_DIRTY_PAGES 1, KVM_MEM_READONLY 2
 * @param gpa its guest-physical address
 * @param bytes its size
 * @param hva where its memory lies in the process
 * @param source how it is known
 */
public record SlotImage(
    int id,
    int addressSpace,
    int flags,
    long gpa,
    long bytes,
    RemoteAddress hva,
    Finding.Source source) {}
