// SPDX-License-Identifier: Apache-2.0
/**
 * What a running QEMU tells of the parts it was given after its start, as the options of a command
 * line that would make them.
 *
 * <p>{@link dev.vmckpt.qemu.live.LiveMachine} is what others ask; one class reads back each kind of
 * part. Nothing is changed.
 */
@NullMarked
package dev.vmckpt.qemu.live;

import org.jspecify.annotations.NullMarked;
