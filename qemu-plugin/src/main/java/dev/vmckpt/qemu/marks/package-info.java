// SPDX-License-Identifier: Apache-2.0
/**
 * What tells in a QEMU which vmckpt has begun something there, so that another one undoes it when
 * that one has died.
 */
@NullMarked
package dev.vmckpt.qemu.marks;

import org.jspecify.annotations.NullMarked;
