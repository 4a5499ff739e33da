// SPDX-License-Identifier: Apache-2.0
/**
 * The command line: what the user types, sees and gets back. Commands ask the store and the
 * checkpointer and print; they decide nothing.
 *
 * <p>One class for each command. Two streams are kept apart everywhere: the result goes to standard
 * output, as text or with {@code --json} as exactly one object; everything said on the way goes to
 * standard error. A failure is an exception until it reaches {@link dev.vmckpt.cli.Failures}, which
 * alone knows how one is shown and which exit code it gives.
 *
 * <p>A start of the JVM is most of what a short command costs: nothing here uses lambdas, formats
 * or libraries on its straight way where plain code does.
 */
@NullMarked
package dev.vmckpt.cli;

import org.jspecify.annotations.NullMarked;
