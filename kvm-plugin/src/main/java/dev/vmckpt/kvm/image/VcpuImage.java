// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import java.util.Map;

/**
 * One vcpu.
 *
 * @param id the argument of KVM_CREATE_VCPU: its APIC id
 * @param groups its state: the structures of KVM_GET_*, by the name of the group ({@code regs},
 *     {@code sregs}, {@code xsave}, {@code msrs} …)
 * @param runPages the contents of its {@code kvm_run} mapping, zeros at the end left out
 */
public record VcpuImage(int id, Map<String, byte[]> groups, byte[] runPages) {}
