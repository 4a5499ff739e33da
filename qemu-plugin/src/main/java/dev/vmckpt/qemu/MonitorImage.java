// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

/**
 * What is recorded of the connection that vmckpt itself had to a monitor: the monitor, restored,
 * still waits for commands on it.
 *
 * @param stopped whether the guest ran, and was stopped for the snapshot
 * @param mark the name of the object that tells so
 */
public record MonitorImage(boolean stopped, String mark) {}
