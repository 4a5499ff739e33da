// SPDX-License-Identifier: Apache-2.0
/**
 * The generic checkpointer: saves a process that was not launched for it, and brings it back.
 *
 * <p>This package is its front door: {@link dev.vmckpt.ckpt.Checkpointer} and what goes in and out
 * of it. The rooms behind it: {@code raw} (system calls, the only place where JNA is known), {@code
 * proc} (parsers of /proc), {@code trace} (ptrace and the borrowing of threads), {@code memory}
 * (areas and pages), {@code objects} (kernel objects behind descriptors), {@code task} (threads,
 * signals, timers), {@code snapshot} and {@code restore} (the two engines).
 */
@NullMarked
package dev.vmckpt.ckpt;

import org.jspecify.annotations.NullMarked;
