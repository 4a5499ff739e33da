// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.remote.RemoteAddress;

/**
 * A range of guest-physical memory and where its bytes lie in the process.
 *
 * @param addressSpace 0, or 1 for what is seen in system management mode only
 * @param slot the number the monitor gave it
 * @param gpa its guest-physical address, a multiple of 4096
 * @param bytes its length, a multiple of 4096
 * @param hva the address in the process of its first byte
 * @param readOnly whether the guest's writes go to the monitor instead
 * @param dirtyLogged whether the guest's writes are being noted
 * @param source how it is known
 */
public record MemoryRegion(
    int addressSpace,
    int slot,
    long gpa,
    long bytes,
    RemoteAddress hva,
    boolean readOnly,
    boolean dirtyLogged,
    Finding.Source source) {
  /** The guest-physical address behind it. */
  public long end() {
    return gpa + bytes;
  }
}
