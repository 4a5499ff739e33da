// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * A file that a snapshot refers to and does not hold.
 *
 * @param path an absolute path
 * @param bytes its length
 * @param modifiedNanos its modification time in nanoseconds since 1970
 */
public record FileIdentity(String path, long bytes, long modifiedNanos) {}
