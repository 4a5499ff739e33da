// SPDX-License-Identifier: Apache-2.0
/**
 * The engine of a restore: verify, build, run.
 *
 * <p>The order matters everywhere, and the kernel is the reason: an address space is emptied before
 * the program's bounds are set (later it is EBUSY), the vDSO is mapped where none is, areas before
 * the descriptors they map, threads after the descriptors they share, filters after all calls that
 * they might refuse, and registers last. Until the last step everything that was made is killed
 * when something fails, or when we die.
 */
@NullMarked
package dev.vmckpt.ckpt.restore;

import org.jspecify.annotations.NullMarked;
