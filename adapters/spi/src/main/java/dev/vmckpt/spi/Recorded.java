// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.remote.RemoteFd;

/**
 * What an adapter recorded of one resource.
 *
 * @param fd the lowest number it was held at
 * @param statusFlags the flags of open(2) it had
 * @param summary what it is, for people
 * @param state the adapter's own record
 * @param copiedInPauseBytes what had to be copied while the target stood still
 */
public record Recorded(
    RemoteFd fd, int statusFlags, String summary, JsonTree state, long copiedInPauseBytes) {}
