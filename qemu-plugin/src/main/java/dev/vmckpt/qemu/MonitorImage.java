// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

/**
 * What is recorded of the connection that vmckpt itself had to a monitor: the monitor, restored,
 * still waits for commands on it.
 *
 * @param running whether the guest ran before it was stopped for the snapshot
 */
public record MonitorImage(boolean running) {}
