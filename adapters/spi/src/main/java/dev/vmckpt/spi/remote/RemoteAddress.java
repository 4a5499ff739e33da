// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/**
 * An address in the target's address space.
 *
 * @param value the address; user space on x86-64 lies below 2^47 (2^56 with five-level paging)
 */
public record RemoteAddress(long value) implements Comparable<RemoteAddress> {
  public static final RemoteAddress NULL = new RemoteAddress(0);

  /** The address {@code bytes} further up; {@code bytes} may be negative. */
  public RemoteAddress plus(long bytes) {
    return new RemoteAddress(value + bytes);
  }

  @Override
  public int compareTo(RemoteAddress other) {
    return Long.compareUnsigned(value, other.value);
  }

  /**
   * Reads what {@link #toString()} writes.
   *
   * @throws NumberFormatException if {@code text} is not {@code 0x} and 1 to 16 hexadecimal digits
   */
  public static RemoteAddress parse(String text) {
    if (!text.startsWith("0x")) {
      throw new NumberFormatException("not an address: " + text);
    }
    return new RemoteAddress(Long.parseUnsignedLong(text.substring(2), 16));
  }

  @Override
  public String toString() {
    return "0x" + Long.toHexString(value);
  }
}
