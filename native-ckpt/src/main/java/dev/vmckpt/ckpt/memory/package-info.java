// SPDX-License-Identifier: Apache-2.0
/**
 * Areas and pages: who carries each area, which of its pages hold data, how they are written into
 * an image and mapped from it again.
 *
 * <p>Order matters in two places. The plan is made before the target is stopped, for reading {@code
 * smaps} takes longer than a pause may; only its comparison with {@code maps} stands in the pause.
 * And pages are found and written after the split, from the child, while the target runs.
 */
@NullMarked
package dev.vmckpt.ckpt.memory;

import org.jspecify.annotations.NullMarked;
