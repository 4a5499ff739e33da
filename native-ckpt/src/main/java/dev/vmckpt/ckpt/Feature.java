// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import org.jspecify.annotations.Nullable;

/**
 * One thing that a kernel and a user's privileges allow or do not.
 *
 * @param name a few words, for example {@code PAGEMAP_SCAN}
 * @param available whether it was tried and worked
 * @param needed whether nothing works without it; else something does with a fall-back
 * @param detail what was found, or what is done instead
 * @param remedy what the user can do when it is not available, or null
 */
public record Feature(
    String name, boolean available, boolean needed, String detail, @Nullable String remedy) {}
