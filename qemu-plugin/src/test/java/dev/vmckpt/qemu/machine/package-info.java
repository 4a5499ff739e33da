// SPDX-License-Identifier: Apache-2.0
/** Tests that move machines from one QEMU to another. */
@NullMarked
package dev.vmckpt.qemu.machine;

import org.jspecify.annotations.NullMarked;
