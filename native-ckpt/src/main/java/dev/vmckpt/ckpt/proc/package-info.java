// SPDX-License-Identifier: Apache-2.0
/**
 * Parsers of what {@code /proc/PID} says. Each takes a text and gives a record; only {@link
 * dev.vmckpt.ckpt.proc.ProcFs} reads files. Most of it runs inside the pause, so texts are scanned
 * by hand: no regular expressions, no streams.
 *
 * <p>A text that is not what proc(5) promises fails with {@link
 * dev.vmckpt.ckpt.proc.ProcFormatException}, and with nothing else.
 */
@NullMarked
package dev.vmckpt.ckpt.proc;

import org.jspecify.annotations.NullMarked;
