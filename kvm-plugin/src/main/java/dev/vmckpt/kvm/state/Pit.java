// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.error.Errno;

/**
 * The interval timer (struct kvm_pit_state2). Behind the interrupt controllers it raises its
 * interrupt in. A machine without one in the kernel has none.
 */
final class Pit extends StructGroup {
  Pit() {
    super("pit", KvmCap.PIT_STATE2, KvmIoctl.GET_PIT2, KvmIoctl.SET_PIT2, KvmLayout.PIT_STATE2);
  }

  @Override
  int missing() {
    return Errno.ENXIO;
  }
}
