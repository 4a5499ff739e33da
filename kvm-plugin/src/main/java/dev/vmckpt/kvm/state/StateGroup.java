// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;

/** One group of the state of a vm or a vcpu. */
public interface StateGroup {
  /** Its name in the snapshot: {@code regs}. */
  String name();

  /** Whether this KVM has it. */
  boolean offered(Capabilities capabilities);

  /**
   * Adds what reads it.
   *
   * @param fd the vm or the vcpu
   * @return what will hold it when the batch has run
   */
  Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities);

  /**
   * Adds what sets it. Nothing of it has been set before.
   *
   * @param fd the vm or the vcpu
   * @param saved what was read
   * @return what tells, when the batch has run, how it went
   * @throws dev.vmckpt.spi.error.SnapshotException if that is no such state
   */
  Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities);
}
