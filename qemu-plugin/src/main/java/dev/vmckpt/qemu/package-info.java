// SPDX-License-Identifier: Apache-2.0
/**
 * What QEMU can tell and do that its process cannot, over its monitor (QMP).
 *
 * <p>Nothing is carried here yet: a QEMU is saved as any other process is. What will: a clean
 * instant, disks of that instant on any file system, and moving to another QEMU.
 */
@NullMarked
package dev.vmckpt.qemu;

import org.jspecify.annotations.NullMarked;
