// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * One file of a snapshot's folder.
 *
 * @param bytes its length
 * @param crc32c the checksum of the whole file, holes read as zeros; of a file of pages, that of
 *     its table of extents, which holds the checksums of the pages
 * @param modifiedNanos its modification time after the last write, in nanoseconds since 1970. A
 *     file that still has it was not written since; any other is verified in full before it is used
 */
public record FileEntry(long bytes, int crc32c, long modifiedNanos) {}
