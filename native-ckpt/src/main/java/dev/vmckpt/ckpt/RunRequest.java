// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import java.time.Duration;
import java.util.List;

/**
 * A command to be started and listened to. Arguments and variables are bytes: they need not be
 * text.
 *
 * @param command the program, looked for as a shell does, and its arguments
 * @param environment each {@code NAME=VALUE}
 * @param inherited what else it starts with
 * @param quiet how long nothing may have come that matters before it is let go
 * @param limit after which it is let go in any case
 */
public record RunRequest(
    List<byte[]> command,
    List<byte[]> environment,
    Inherited inherited,
    Duration quiet,
    Duration limit) {}
