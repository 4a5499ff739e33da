// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/**
 * A thread of the target, by its number in our pid namespace.
 *
 * @param number 1 or more; the number of a process is that of its leading thread
 */
public record Tid(int number) implements Comparable<Tid> {
  @Override
  public int compareTo(Tid other) {
    return Integer.compare(number, other.number);
  }

  @Override
  public String toString() {
    return Integer.toString(number);
  }
}
