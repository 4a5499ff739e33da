// SPDX-License-Identifier: Apache-2.0
/**
 * What a snapshot holds, as plain immutable records: one record for each kernel object. The header
 * of a manifest can be read and refused alone, before anything else of it is looked at; {@code
 * docs/image-format.md} describes every file byte by byte.
 *
 * <p>Addresses, descriptors and threads in these records are numbers of the target as it was.
 */
@NullMarked
package dev.vmckpt.spi.image;

import org.jspecify.annotations.NullMarked;
