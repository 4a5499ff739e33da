// SPDX-License-Identifier: Apache-2.0
/**
 * The monitors and guests themselves: that they run without error where nothing disturbs them, and
 * that they tell of each thing that is disturbed on purpose.
 */
@NullMarked
package dev.vmckpt.images;

import org.jspecify.annotations.NullMarked;
