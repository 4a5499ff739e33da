// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.spi.error.SnapshotException;
import org.jspecify.annotations.Nullable;

/**
 * One line of a listing: a snapshot, or what is wrong with it.
 *
 * @param id its id, the name of its folder
 * @param stored the snapshot, or null when it cannot be read
 * @param fault why it cannot be read, or null
 */
public record Listed(String id, @Nullable Stored stored, @Nullable SnapshotException fault) {}
