// SPDX-License-Identifier: Apache-2.0
/**
 * The ways in which vmckpt fails, one class for each answer a caller can act on. The category
 * decides the exit code of the command line; the message says what is wrong, where, and what to do.
 */
@NullMarked
package dev.vmckpt.spi.error;

import org.jspecify.annotations.NullMarked;
