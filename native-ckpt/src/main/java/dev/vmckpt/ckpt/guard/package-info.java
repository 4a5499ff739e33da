// SPDX-License-Identifier: Apache-2.0
/**
 * Connections to the outside on which somebody has the last word if we die: what was begun there is
 * undone by a process that outlives us.
 */
@NullMarked
package dev.vmckpt.ckpt.guard;

import org.jspecify.annotations.NullMarked;
