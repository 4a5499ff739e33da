// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import java.util.List;

/**
 * What is recorded of a connection to a backend.
 *
 * @param connection its number, in the records of both of its sockets
 * @param path where the backend listened; empty in the record of the back channel, like all below
 * @param features what it could do as a device
 * @param protocol what QEMU took of what it could do as a backend
 * @param queues how many it had, at most
 * @param config the beginning of its configuration
 * @param memory what it was given of the guest's memory; empty if nothing, or if QEMU gives it anew
 */
record VhostImage(
    int connection,
    String path,
    long features,
    long protocol,
    long queues,
    byte[] config,
    boolean backChannel,
    List<Region> memory) {

  /**
   * A part of the guest's memory.
   *
   * @param guest its address there
   * @param bytes its length
   * @param user its address in QEMU
   * @param offset where it begins in its descriptor
   * @param descriptor QEMU's number of that
   */
  record Region(long guest, long bytes, long user, long offset, int descriptor) {}

  static VhostImage back(int connection) {
    return new VhostImage(connection, "", 0, 0, 0, new byte[0], false, List.of());
  }

  boolean acknowledges() {
    return (protocol & VhostUser.ACKNOWLEDGES) != 0;
  }
}
