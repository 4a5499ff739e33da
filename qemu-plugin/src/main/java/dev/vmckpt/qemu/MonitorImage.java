// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.plug.PlugMark;
import org.jspecify.annotations.Nullable;

/**
 * What is recorded of the connection that vmckpt itself had to a monitor: the monitor, restored,
 * still waits for commands on it.
 *
 * @param stopped whether the guest ran, and was stopped for the snapshot
 * @param mark the name of the object that tells so
 * @param unplugged the devices that were unplugged for the snapshot; null if none were
 */
public record MonitorImage(boolean stopped, String mark, @Nullable PlugMark unplugged) {}
