// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

/**
 * A range of guest-physical addresses.
 *
 * @param gpa its first address
 * @param bytes its length, more than 0
 */
public record GuestRange(long gpa, long bytes) {
  /** The address behind it. */
  public long end() {
    return gpa + bytes;
  }
}
