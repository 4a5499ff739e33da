// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/**
 * GDTR or IDTR.
 *
 * @param base the linear address of the table
 * @param limit its last offset in bytes, 16 bits
 */
public record DescriptorTable(long base, int limit) {}
