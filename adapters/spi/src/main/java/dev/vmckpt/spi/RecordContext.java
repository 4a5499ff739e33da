// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteProcess;
import dev.vmckpt.spi.remote.RemoteTask;

/** What an adapter may use inside the pause. */
public interface RecordContext {
  /** The frozen target. */
  RemoteProcess target();

  /**
   * The task that {@link DetachContext#lodger} gave: for many calls at once.
   *
   * @throws IllegalStateException if it was not asked for when detaching
   */
  RemoteTask lodger();

  /** The text of {@code /proc/PID/maps} as it is now, without areas of ours. */
  String maps();

  /** {@code fdinfo} of a resource as it is now, in the pause. */
  FdInfo infoNow(DescriptorResource resource);

  FileCloner cloner();
}
