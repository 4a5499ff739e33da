// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import org.jspecify.annotations.Nullable;

/**
 * What an adapter says of a resource.
 *
 * @param summary what it is and how it will come back, in a few words for people
 * @param refusal why it cannot be carried although it is this adapter's, or null
 * @param remedy what the user can do about a refusal, or null
 */
public record Claim(String summary, @Nullable String refusal, @Nullable String remedy) {
  /** A claim of something that is carried. */
  public static Claim carried(String summary) {
    return new Claim(summary, null, null);
  }

  /** A claim of something that is known, and cannot be carried. */
  public static Claim refused(String summary, String why, String remedy) {
    return new Claim(summary, why, remedy);
  }
}
