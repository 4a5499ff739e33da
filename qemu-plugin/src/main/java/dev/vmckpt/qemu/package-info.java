// SPDX-License-Identifier: Apache-2.0
/**
 * What QEMU can tell and do that its process cannot, over its monitor (QMP): a guest that is at
 * rest when it is saved. Nothing here is needed: a QEMU whose monitor cannot be had is saved as any
 * other process is.
 */
@NullMarked
package dev.vmckpt.qemu;

import org.jspecify.annotations.NullMarked;
