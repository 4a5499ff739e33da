// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import dev.vmckpt.spi.Finding;

/**
 * An eventfd that a guest's access signals (struct kvm_ioeventfd).
 *
 * @param fd the eventfd, by its number in the target
 * @param address the port or guest-physical address
 * @param bytes the width of the access, 0 for any
 * @param flags KVM_IOEVENTFD_FLAG_*: DATAMATCH 1, PIO 2
 * @param dataMatch the value that must be written, with DATAMATCH
 * @param source how it is known
 */
public record IoEventFdImage(
    int fd, long address, int bytes, int flags, long dataMatch, Finding.Source source) {}
