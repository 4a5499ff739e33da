// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/**
 * Something that lies behind a descriptor, as {@code vmckpt inspect} shows it.
 *
 * @param kind what kind of thing, in the field's own word: {@code vcpu}, {@code memslot}, {@code
 *     irqfd}
 * @param name its name: {@code memslot:3}
 * @param what what it is, in a few words
 * @param source how it is known
 */
public record Finding(String kind, String name, String what, Source source) {
  /** How a thing is known. */
  public enum Source {
    /** The kernel says so when asked. */
    TOLD,
    /** Noted when the target set it ({@code vmckpt run}). */
    RECORDED,
    /** Inferred from how the kernel answers. */
    FOUND,
    /** What is usual, for want of anything better. */
    ASSUMED
  }
}
