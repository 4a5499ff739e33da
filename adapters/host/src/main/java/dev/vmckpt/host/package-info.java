// SPDX-License-Identifier: Apache-2.0
/**
 * Adapters for what the host gives a target: files, disk images and terminals.
 *
 * <p>They copy and open, and know nothing of memory, threads or ptrace; every call in the target goes
 * through the contracts of {@code adapters/spi}.
 */
@NullMarked
package dev.vmckpt.host;

import org.jspecify.annotations.NullMarked;
