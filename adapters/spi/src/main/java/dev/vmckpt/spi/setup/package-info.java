// SPDX-License-Identifier: Apache-2.0
/**
 * How a process that is started under a recorder is listened to while it sets itself up: some of
 * what it tells the kernel then, the kernel never tells back.
 *
 * <p>The recorder traces and lets go; what calls mean is known to its listeners alone.
 */
@NullMarked
package dev.vmckpt.spi.setup;

import org.jspecify.annotations.NullMarked;
