// SPDX-License-Identifier: Apache-2.0
/**
 * A machine as QEMU describes it, and another QEMU started from that description.
 *
 * <p>Recorded are the state of all devices and processors, in QEMU's own migration format, and
 * where the blocks of guest memory lie in QEMU's address space; their bytes are those of the
 * process, which the snapshot holds anyway, so nothing is stored twice. The other QEMU is started
 * without running, its blocks of memory are filled from outside, and only then does it load the
 * state: devices look into guest memory while they do (virtio rings), so this order matters.
 *
 * <p>Whatever is known to be unable to move is named before a QEMU is started for it.
 */
@NullMarked
package dev.vmckpt.qemu.machine;

import org.jspecify.annotations.NullMarked;
