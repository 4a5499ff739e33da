// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import dev.vmckpt.spi.Recorded;
import java.util.List;
import java.util.Optional;

/**
 * Tells what an adapter's records say of the guest. Found by {@link java.util.ServiceLoader}; needs
 * neither a process nor the machine the snapshot was taken on.
 */
public interface GuestReader {
  /** The name of the adapter whose records it reads. */
  String adapter();

  /**
   * Reads the guest of one process.
   *
   * @param recorded everything its adapter recorded of that process
   * @return empty if there is no virtual machine among it
   * @throws dev.vmckpt.spi.error.SnapshotException if the records do not fit together
   * @throws dev.vmckpt.spi.error.RefusedException if there is more than one virtual machine
   */
  Optional<GuestImage> read(List<Recorded> recorded);
}
