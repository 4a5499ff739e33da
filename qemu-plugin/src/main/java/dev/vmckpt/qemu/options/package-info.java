// SPDX-License-Identifier: Apache-2.0
/**
 * The command line of a QEMU, taken apart: what it was started with, for all who look there for a
 * monitor, a console, a device or a whole machine.
 */
@NullMarked
package dev.vmckpt.qemu.options;

import org.jspecify.annotations.NullMarked;
