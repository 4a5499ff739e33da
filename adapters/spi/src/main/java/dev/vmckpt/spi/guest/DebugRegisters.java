// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/** The debug registers of a processor. */
public record DebugRegisters(long dr0, long dr1, long dr2, long dr3, long dr6, long dr7) {}
