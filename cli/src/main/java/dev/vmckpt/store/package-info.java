// SPDX-License-Identifier: Apache-2.0
/**
 * Where snapshots live: a folder each, written under a temporary name, made durable, and renamed.
 *
 * <p>Until the rename there is no snapshot; after it there is a whole one.
 */
@NullMarked
package dev.vmckpt.store;

import org.jspecify.annotations.NullMarked;
