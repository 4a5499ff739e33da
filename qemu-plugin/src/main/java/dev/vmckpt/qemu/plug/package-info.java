// SPDX-License-Identifier: Apache-2.0
/**
 * Devices that are taken off a machine for the time of a snapshot, because what they are connected
 * to cannot be carried, and are plugged in again afterwards: in the original and where it is
 * restored.
 *
 * <p>The order matters: what a device was made of is known, and is where others find it (in QEMU
 * itself, and with whoever outlives us), before the guest is asked to let go of it.
 */
@NullMarked
package dev.vmckpt.qemu.plug;

import org.jspecify.annotations.NullMarked;
