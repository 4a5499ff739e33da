// SPDX-License-Identifier: Apache-2.0
/**
 * Looks into the guest of a snapshot without restoring it: what the adapters' records say of it,
 * its physical memory, its page tables, and an ELF core that a debugger opens.
 *
 * <p>What belongs elsewhere: how a process' memory lies in a snapshot ({@code dev.vmckpt.ckpt}),
 * and how one hypervisor lays out its state (its adapter).
 */
@NullMarked
package dev.vmckpt.guest;

import org.jspecify.annotations.NullMarked;
