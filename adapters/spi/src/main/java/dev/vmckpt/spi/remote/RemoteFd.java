// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/**
 * A descriptor number in the target's table.
 *
 * @param number 0 or more
 */
public record RemoteFd(int number) implements Comparable<RemoteFd> {
  @Override
  public int compareTo(RemoteFd other) {
    return Integer.compare(number, other.number);
  }

  @Override
  public String toString() {
    return "fd:" + number;
  }
}
