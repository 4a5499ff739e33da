// SPDX-License-Identifier: Apache-2.0
/**
 * ptrace(2): seizing and freezing the threads of a target, and borrowing one of them to make system
 * calls in its place.
 *
 * <p>Every ptrace call is made by one operating-system thread ({@link
 * dev.vmckpt.ckpt.trace.TracerThread}). Freezing, borrowing and forking are scopes, closed in
 * reverse order. A live target is only ever borrowed in the crash-safe way of {@link
 * dev.vmckpt.ckpt.trace.BorrowedThread}; a {@link dev.vmckpt.ckpt.trace.Husk} is ours and dies with
 * us.
 */
@NullMarked
package dev.vmckpt.ckpt.trace;

import org.jspecify.annotations.NullMarked;
