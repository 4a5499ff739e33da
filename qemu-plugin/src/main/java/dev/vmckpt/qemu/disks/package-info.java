// SPDX-License-Identifier: Apache-2.0
/**
 * Disks of a QEMU, kept as they were at one instant while its guest goes on writing: QEMU itself
 * copies what is about to be written over.
 *
 * <p>{@link dev.vmckpt.qemu.disks.BlockGraph} says what QEMU's block layer consists of, {@link
 * dev.vmckpt.qemu.disks.OpenFiles} which file of the process each node stands for, {@link
 * dev.vmckpt.qemu.disks.Backups} keeps files, {@link dev.vmckpt.qemu.disks.Leftovers} undoes what
 * somebody left who died over it.
 *
 * <p>Order matters once: {@link dev.vmckpt.qemu.disks.Backups#begin} belongs between the end of the
 * pause and the guest's {@code cont}. Before the pause, the jobs would be part of the snapshot.
 */
@NullMarked
package dev.vmckpt.qemu.disks;

import org.jspecify.annotations.NullMarked;
