// SPDX-License-Identifier: Apache-2.0
/**
 * The command line: what the user types, sees and gets back. Commands ask the store and the checkpointer
 * and print; they decide nothing.
 */
@NullMarked
package dev.vmckpt.cli;

import org.jspecify.annotations.NullMarked;
