// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.error;

/**
 * One resource that stands in the way of a snapshot or a restore.
 *
 * @param resource its name as {@code vmckpt inspect} prints it, for example {@code fd:12
 *     socket:[4711]}
 * @param why what it is and why it cannot be carried
 * @param remedy what the user can do about it
 */
public record Refusal(String resource, String why, String remedy) {
  @Override
  public String toString() {
    return resource + ": " + why + "; " + remedy;
  }
}
