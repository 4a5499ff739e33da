// SPDX-License-Identifier: Apache-2.0
/**
 * The kernel objects behind descriptors: things the kernel alone can make again. One class each,
 * always in the order recognise, capture, restore; {@link dev.vmckpt.ckpt.objects.KernelObjects}
 * lists them all.
 */
@NullMarked
package dev.vmckpt.ckpt.objects;

import org.jspecify.annotations.NullMarked;
