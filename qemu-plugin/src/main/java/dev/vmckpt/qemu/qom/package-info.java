// SPDX-License-Identifier: Apache-2.0
/** QEMU's objects, of which every device, back end and mark is one. */
@NullMarked
package dev.vmckpt.qemu.qom;

import org.jspecify.annotations.NullMarked;
