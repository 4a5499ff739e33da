// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;

/** What an adapter has brought to rest; lives from <em>detach</em> to <em>resume</em>. */
public interface Detachment {
  /**
   * Whether by this the target's guest stands still, with all its accesses done; told before the
   * pause.
   */
  default boolean guestRests() {
    return false;
  }

  /**
   * Brings threads of the frozen target to where what it records is whole, for example lets a vcpu
   * finish its I/O. Called first in the pause. By default nothing is done: what it records is whole
   * wherever the threads stand.
   */
  default void settle(SettleContext context) {}

  /**
   * Begins what goes on by itself while threads and other adapters' resources are read: a batch
   * that was prepared and is now started. Called when all adapters have settled. The target is
   * frozen, and is not let go before that batch has ended, also when the snapshot fails. By default
   * nothing goes on by itself.
   */
  default void begin() {}

  /**
   * Reads what it needs of every resource it claimed. The target is frozen: this stands in the
   * pause, and must take milliseconds.
   */
  List<Recorded> record(RecordContext context);

  /**
   * Undoes the detaching. Called exactly once, also when the snapshot failed before {@link
   * #record}.
   */
  void resume();

  /**
   * Called when the target runs again and before the snapshot is committed: finishes what {@link
   * #record} began, for example writes a disk out. By default nothing is left to be finished.
   *
   * @return how many bytes of disks lie in the snapshot's folder
   */
  default long finish() {
    return 0;
  }
}
