// SPDX-License-Identifier: Apache-2.0
/**
 * What the kernel's structures say of a guest, in neutral words: each class knows the layout of one
 * structure of arch/x86/include/uapi/asm/kvm.h or include/uapi/linux/kvm.h, and nothing else does.
 * A group of a length that its structure does not have is a damaged snapshot, told as such.
 */
@NullMarked
package dev.vmckpt.kvm.guest;

import org.jspecify.annotations.NullMarked;
