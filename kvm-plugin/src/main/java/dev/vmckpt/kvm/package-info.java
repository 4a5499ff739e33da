// SPDX-License-Identifier: Apache-2.0
/**
 * The connection to a KVM device: its system, vm, vcpu and device descriptors, by ioctls made
 * inside the target through the contracts of {@code adapters/spi}; no JNA is used here.
 *
 * <p>Nothing is carried here yet: a process that holds {@code /dev/kvm} is refused by name.
 */
@NullMarked
package dev.vmckpt.kvm;

import org.jspecify.annotations.NullMarked;
