// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

/**
 * Who is at the other end of a connected UNIX socket of the target.
 *
 * @param pid the process that holds that end
 * @param name what it is called
 * @param path the socket file that the target had called it by: absolute, or as it was bound where
 *     that cannot be told; {@code @name} for an abstract one; empty for a pair without a name
 * @param shares whether it maps memory that the target shares, or holds event counters of it
 */
public record Peer(int pid, String name, String path, boolean shares) {
  /** For people: {@code swtpm (process 4711)}. */
  public String text() {
    return name + " (process " + pid + ")";
  }
}
