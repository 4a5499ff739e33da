// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;

/** What an adapter has opened to the outside for one snapshot. */
public interface Visit extends AutoCloseable {
  /** Those who can keep disks of the target; possibly none. */
  List<DiskKeeper> keepers();

  /**
   * All of the target is captured, and it runs again: what was brought about outside for that is
   * not needed any more. Not called if the snapshot fails before.
   */
  default void captured() {}

  /** Leaves the outside as it was found; called exactly once, whatever else failed. */
  @Override
  void close();
}
