// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import org.jspecify.annotations.Nullable;

/**
 * What an adapter says of a resource.
 *
 * @param summary what it is and how it will come back, in a few words for people
 * @param changed whether it comes back otherwise than it was
 * @param refusal why it cannot be carried although it is this adapter's, or null
 * @param remedy what the user can do about a refusal, or null
 */
public record Claim(
    String summary, boolean changed, @Nullable String refusal, @Nullable String remedy) {
  /** A claim of something that comes back as it was. */
  public static Claim carried(String summary) {
    return new Claim(summary, false, null, null);
  }

  /** A claim of something that comes back otherwise; the summary says how. */
  public static Claim changed(String summary) {
    return new Claim(summary, true, null, null);
  }

  /** A claim of something that is known, and cannot be carried. */
  public static Claim refused(String summary, String why, String remedy) {
    return new Claim(summary, false, why, remedy);
  }
}
