// SPDX-License-Identifier: Apache-2.0
/** Tests of what is kept for people. */
@NullMarked
package dev.vmckpt.qemu.picture;

import org.jspecify.annotations.NullMarked;
