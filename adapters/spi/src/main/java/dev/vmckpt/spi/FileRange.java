// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/**
 * A part of a file, in bytes.
 *
 * @param start its first byte
 * @param end the byte behind its last
 */
public record FileRange(long start, long end) {}
