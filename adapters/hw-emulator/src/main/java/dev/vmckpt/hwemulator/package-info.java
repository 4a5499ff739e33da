// SPDX-License-Identifier: Apache-2.0
/**
 * The connection to a hardware emulator: another process that serves a device of the guest at the
 * other end of a UNIX socket.
 *
 * <p>What belongs here is how one talks over such a socket from inside the target, and how one
 * knows that whoever is there rests. Each protocol has a room of its own. What does not belong
 * here: what a process merely talks to, which comes back as a peer that hung up.
 */
@NullMarked
package dev.vmckpt.hwemulator;

import org.jspecify.annotations.NullMarked;
