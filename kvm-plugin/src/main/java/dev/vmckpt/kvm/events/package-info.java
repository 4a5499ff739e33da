// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the eventfds a virtual machine is wired to: those that raise an interrupt (irqfds) and
 * those that a guest's access signals (ioeventfds), virt/kvm/eventfd.c.
 *
 * <p>KVM lists neither, and no question about them is quite harmless: what is asked about is taken
 * off and put back. So all of this is for a frozen target, in which no guest runs.
 */
@NullMarked
package dev.vmckpt.kvm.events;

import org.jspecify.annotations.NullMarked;
