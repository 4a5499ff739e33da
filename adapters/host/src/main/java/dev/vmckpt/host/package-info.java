// SPDX-License-Identifier: Apache-2.0
/**
 * Adapters for what the host gives a target: files, disk images and terminals.
 *
 * <p>They copy and open, and know nothing of memory, threads or ptrace; every call in the target
 * goes through the contracts of {@code adapters/spi}.
 *
 * <p>One class for each {@link dev.vmckpt.host.FileKind kind of file}, always in the order
 * recognise, record, reattach; {@link dev.vmckpt.host.FilesAdapter} lists them. The order of that
 * list matters: the first kind that recognises a file has it.
 */
@NullMarked
package dev.vmckpt.host;

import org.jspecify.annotations.NullMarked;
