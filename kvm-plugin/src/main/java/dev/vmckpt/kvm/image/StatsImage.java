// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

/**
 * A descriptor the statistics of a vm or a vcpu are read from (KVM_GET_STATS_FD). The numbers begin
 * anew.
 *
 * @param vcpu the id of the vcpu, -1 for the vm
 * @param position how far it had been read, in bytes
 */
public record StatsImage(int vcpu, long position) {}
