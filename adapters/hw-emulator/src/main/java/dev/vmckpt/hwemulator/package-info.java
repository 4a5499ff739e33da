// SPDX-License-Identifier: Apache-2.0
/**
 * The connection to a hardware emulator: another process, or another machine's, at the end of a
 * socket.
 *
 * <p>Nothing is carried here yet. What will: an adapter that sends the emulator to rest at the
 * checkpoint, records the state of the connection, and meets the same emulator or another one at
 * restart.
 */
@NullMarked
package dev.vmckpt.hwemulator;

import org.jspecify.annotations.NullMarked;
