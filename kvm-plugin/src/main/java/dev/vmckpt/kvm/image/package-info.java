// SPDX-License-Identifier: Apache-2.0
/**
 * What a snapshot holds of a KVM virtual machine: records only. Kernel structures are kept as the
 * kernel lays them out (Documentation/virt/kvm/api.rst, arch/x86/include/uapi/asm/kvm.h), each as
 * one group of bytes under a name of its own.
 */
@org.jspecify.annotations.NullMarked
package dev.vmckpt.kvm.image;
