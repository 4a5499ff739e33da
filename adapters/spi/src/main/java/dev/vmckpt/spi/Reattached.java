// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteFd;

/**
 * What an adapter made in a husk.
 *
 * @param fd where it made it; any free number
 */
public record Reattached(RemoteFd fd) {}
