// SPDX-License-Identifier: Apache-2.0
/**
 * Finds, and builds when they are missing, the guests and target programs of this folder, and
 * starts them for tests.
 *
 * <p>The programs themselves lie beside this source, in C and assembly; {@code make} builds them.
 */
@NullMarked
package dev.vmckpt.images;

import org.jspecify.annotations.NullMarked;
