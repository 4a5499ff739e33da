// SPDX-License-Identifier: Apache-2.0
/**
 * The state of a vm and of a vcpu that KVM gives and takes, one class for each group. A class says
 * whether this KVM has its group, adds the GET to a batch, takes the bytes, adds the SET to a
 * batch. {@link dev.vmckpt.kvm.state.VcpuGroups} and {@link dev.vmckpt.kvm.state.VmGroups} hold
 * them in the order in which they can be set; each class tells the reason for its place.
 */
@NullMarked
package dev.vmckpt.kvm.state;

import org.jspecify.annotations.NullMarked;
