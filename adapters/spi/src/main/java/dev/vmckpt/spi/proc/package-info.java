// SPDX-License-Identifier: Apache-2.0
/**
 * What several rooms read of {@code /proc}: one parser each. What only the checkpointer reads is
 * not here.
 */
@NullMarked
package dev.vmckpt.spi.proc;

import org.jspecify.annotations.NullMarked;
