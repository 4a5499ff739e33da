// SPDX-License-Identifier: Apache-2.0
/**
 * The contracts between the checkpointer and the adapters of device connections.
 *
 * <p>An {@link dev.vmckpt.spi.Adapter} carries resources whose other end lies outside the target.
 * It knows the target only through these interfaces: no JNA, no Linux call and no other room is
 * used here.
 *
 * <p>What belongs here: a type that two rooms have to agree on. What does not: anything that does
 * work.
 */
@NullMarked
package dev.vmckpt.spi;

import org.jspecify.annotations.NullMarked;
