// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * The bounds that the kernel keeps for an address space: struct prctl_mm_map of
 * include/uapi/linux/prctl.h.
 *
 * @param auxv the auxiliary vector as /proc/PID/auxv gives it
 * @param executable the program, as /proc/PID/exe names it
 */
public record LayoutImage(
    RemoteAddress startCode,
    RemoteAddress endCode,
    RemoteAddress startData,
    RemoteAddress endData,
    RemoteAddress startBrk,
    RemoteAddress brk,
    RemoteAddress startStack,
    RemoteAddress argStart,
    RemoteAddress argEnd,
    RemoteAddress envStart,
    RemoteAddress envEnd,
    byte[] auxv,
    FileIdentity executable) {}
