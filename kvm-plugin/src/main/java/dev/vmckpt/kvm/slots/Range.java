// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

/**
 * A range of guest-physical addresses.
 *
 * @param start its first address, a multiple of the page size
 * @param end the address behind it, a multiple of the page size and above {@code start}
 */
public record Range(long start, long end) {
  public Range {
    if (start >= end) {
      throw new IllegalArgumentException("an empty range at 0x" + Long.toHexString(start));
    }
  }

  /** Its size in bytes, at least a page. */
  public long bytes() {
    return end - start;
  }

  @Override
  public String toString() {
    return "0x" + Long.toHexString(start) + "-0x" + Long.toHexString(end);
  }
}
