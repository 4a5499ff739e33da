// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the memory slots of a virtual machine whose making nobody recorded. KVM has no call that
 * lists them; it is asked questions that it must refuse, and how it refuses is the answer ({@code
 * kvm_set_memory_region} in virt/kvm/kvm_main.c, the order of its checks).
 *
 * <p>Three questions, by growing danger, each in one place: {@link dev.vmckpt.kvm.slots.SlotCalls}
 * asks what can never change anything; a {@link dev.vmckpt.kvm.slots.Peg} makes the question
 * whether a guess is right one of these, while the target runs; {@link
 * dev.vmckpt.kvm.slots.Confirmation} asks what is harmless only in a frozen target. Before Linux
 * 6.18 the first has to be asked of a frozen target too, by a {@link dev.vmckpt.kvm.slots.Trial},
 * and {@link dev.vmckpt.kvm.slots.Recount} confirms with few questions.
 */
@NullMarked
package dev.vmckpt.kvm.slots;

import org.jspecify.annotations.NullMarked;
