// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteProcess;

/** What an adapter may use inside the pause. */
public interface RecordContext {
  /** The frozen target. */
  RemoteProcess target();

  /** {@code fdinfo} of a resource as it is now, in the pause. */
  FdInfo infoNow(DescriptorResource resource);

  FileCloner cloner();
}
