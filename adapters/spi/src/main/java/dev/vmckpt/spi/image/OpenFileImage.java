// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import java.util.List;

/**
 * One open file description: what {@code dup} shares.
 *
 * @param id unique within its process
 * @param descriptors the numbers it is held at, ascending, at least one
 * @param statusFlags fcntl(F_GETFL)
 * @param owner who is sent SIGIO; 0 for nobody
 * @param ownerSignal fcntl(F_GETSIG)
 * @param object what it is
 */
public record OpenFileImage(
    int id,
    List<Descriptor> descriptors,
    int statusFlags,
    int owner,
    int ownerSignal,
    DescriptorImage object) {

  /**
   * One number in the table.
   *
   * @param closeOnExec FD_CLOEXEC
   */
  public record Descriptor(int number, boolean closeOnExec) {}
}
