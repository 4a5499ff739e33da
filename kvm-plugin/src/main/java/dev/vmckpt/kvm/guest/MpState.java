// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.Activity;

/** struct kvm_mp_state: one number of 32 bits, KVM_MP_STATE_*. */
final class MpState {
  static final int BYTES = KvmLayout.MP_STATE;
  static final int RUNNABLE = 0;
  static final int UNINITIALIZED = 1;
  static final int INIT_RECEIVED = 2;
  static final int HALTED = 3;
  static final int SIPI_RECEIVED = 4;
  static final int AP_RESET_HOLD = 9;

  private MpState() {}

  static Activity read(Group group) {
    return switch (group.ofLength(BYTES).s32(0)) {
      case RUNNABLE -> Activity.RUNNING;
      case UNINITIALIZED -> Activity.UNINITIALIZED;
      case INIT_RECEIVED -> Activity.WAITS_FOR_STARTUP;
      case HALTED -> Activity.HALTED;
      case SIPI_RECEIVED -> Activity.STARTING;
      case AP_RESET_HOLD -> Activity.RESET_HOLD;
      default -> Activity.OTHER;
    };
  }
}
