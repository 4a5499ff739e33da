// SPDX-License-Identifier: Apache-2.0
/**
 * The connection to a KVM device: its system, vm, vcpu and statistics descriptors, by ioctls made
 * inside the target through the contracts of {@code adapters/spi}; no JNA is used here, and no
 * monitor is known by name.
 *
 * <p>KVM compares address spaces, so every call is made by the lodger (in a live target) or by the
 * husk (in a restore). A vcpu's calls wait for its KVM_RUN to return, so they are made in the pause
 * only; those of the vm may be made at any time.
 */
@NullMarked
package dev.vmckpt.kvm;

import org.jspecify.annotations.NullMarked;
