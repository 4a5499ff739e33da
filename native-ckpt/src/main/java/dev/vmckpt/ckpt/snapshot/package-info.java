// SPDX-License-Identifier: Apache-2.0
/**
 * The engine of a snapshot: plan, rehearse, detach, freeze, record, split, thaw, resume, write.
 *
 * <p>Everything that can fail for a reason of the target's fails in the plan, before anything is
 * touched. Inside the pause nothing is loaded for the first time: the same code has run on a
 * throwaway process before.
 */
@NullMarked
package dev.vmckpt.ckpt.snapshot;

import org.jspecify.annotations.NullMarked;
