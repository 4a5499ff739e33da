// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * A model-specific register.
 *
 * @param index its number, 0 to 2^32 - 1
 * @param value its 64 bits
 */
public record Msr(long index, long value) {}
