// SPDX-License-Identifier: Apache-2.0
/** What {@code /proc} tells of a process, where more than one room asks the same. */
@NullMarked
package dev.vmckpt.spi.proc;

import org.jspecify.annotations.NullMarked;
