// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.spi.guest.GuestClock;
import org.jspecify.annotations.Nullable;

/**
 * struct kvm_clock_data.
 *
 * <pre>
 * 0 clock  8 flags  12 pad0  16 realtime  24 host_tsc  32 pad  48
 * </pre>
 */
final class Clock {
  static final int BYTES = KvmLayout.CLOCK;
  static final int FLAGS = 8;
  static final int REALTIME = 16;
  static final int HOST_TSC = 24;
  private static final int HAS_REALTIME = 4;
  private static final int HAS_HOST_TSC = 8;

  private Clock() {}

  static GuestClock read(@Nullable Group group, VmImage vm) {
    if (group == null) {
      return new GuestClock(-1, vm.realtimeNanos(), 0, vm.hostTscKhz());
    }
    int flags = group.ofLength(BYTES).s32(FLAGS);
    return new GuestClock(
        group.u64(0),
        (flags & HAS_REALTIME) != 0 ? group.u64(REALTIME) : vm.realtimeNanos(),
        (flags & HAS_HOST_TSC) != 0 ? group.u64(HOST_TSC) : 0,
        vm.hostTscKhz());
  }
}
