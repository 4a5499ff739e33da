// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteFd;
import org.jspecify.annotations.Nullable;

/**
 * What an adapter says of an area: it is a shared mapping of a descriptor, and comes back as one,
 * mapped when that descriptor is there again. Its contents are the adapter's business.
 *
 * @param descriptor the lowest number of the descriptor it maps
 * @param summary what it is, in a few words for people
 * @param refusal why it cannot be carried although it is this adapter's, or null
 * @param remedy what the user can do about a refusal, or null
 */
public record AreaClaim(
    RemoteFd descriptor, String summary, @Nullable String refusal, @Nullable String remedy) {
  /** A claim of something that comes back. */
  public static AreaClaim carried(RemoteFd descriptor, String summary) {
    return new AreaClaim(descriptor, summary, null, null);
  }

  /** A claim of something that is known, and cannot be carried. */
  public static AreaClaim refused(RemoteFd descriptor, String summary, String why, String remedy) {
    return new AreaClaim(descriptor, summary, why, remedy);
  }
}
