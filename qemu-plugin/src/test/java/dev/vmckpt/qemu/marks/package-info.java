// SPDX-License-Identifier: Apache-2.0
/** Tests of the marks. */
@NullMarked
package dev.vmckpt.qemu.marks;

import org.jspecify.annotations.NullMarked;
