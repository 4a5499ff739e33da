// SPDX-License-Identifier: Apache-2.0
/**
 * What belongs to another process, as types of its own: an address, a descriptor or a thread over
 * there can never be mistaken for one of ours.
 */
@NullMarked
package dev.vmckpt.spi.remote;

import org.jspecify.annotations.NullMarked;
