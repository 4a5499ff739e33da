// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.nio.ByteBuffer;

/** The saved memory of the process that a machine is in. */
public interface MemorySource {
  /**
   * Reads as much as the buffer has room for.
   *
   * @return false if it is all zeros, which need not have been put into the buffer
   */
  boolean read(RemoteAddress from, ByteBuffer to);
}
