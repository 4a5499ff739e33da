// SPDX-License-Identifier: Apache-2.0
/** Tests of kept disks, with real QEMUs. */
@NullMarked
package dev.vmckpt.qemu.disks;

import org.jspecify.annotations.NullMarked;
