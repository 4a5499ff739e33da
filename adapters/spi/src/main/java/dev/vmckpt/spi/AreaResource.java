// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * An area of the target's address space that is no ordinary memory.
 *
 * @param pid the process
 * @param start its first address
 * @param end the address behind it
 * @param offset the offset of {@code start} in what it maps, in bytes
 * @param path what {@code /proc/PID/maps} says it maps
 */
public record AreaResource(
    int pid, RemoteAddress start, RemoteAddress end, long offset, String path) {
  /** Its name in messages: {@code area:7f00-7f01}. */
  public String name() {
    return "area:" + Long.toHexString(start.value()) + "-" + Long.toHexString(end.value());
  }
}
