// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;

/** What an adapter has opened to the outside for one snapshot. */
public interface Visit extends AutoCloseable {
  /** Those who can keep disks of the target; possibly none. */
  List<DiskKeeper> keepers();

  /** Ways to a monitor that somebody else holds; possibly none. */
  List<MonitorPassage> passages();

  /**
   * Whether the guest of the target can be brought to rest by it, see {@link
   * Detachment#guestRests}.
   */
  boolean canRest();

  /**
   * All of the target is captured, and it runs again: what was brought about outside for that is
   * not needed any more. Not called if the snapshot fails before.
   */
  default void captured() {}

  /** Leaves the outside as it was found; called exactly once, whatever else failed. */
  @Override
  void close();
}
