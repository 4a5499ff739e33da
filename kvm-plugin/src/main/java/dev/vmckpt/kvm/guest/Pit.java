// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.GuestDevice;
import java.util.ArrayList;
import java.util.List;

/**
 * struct kvm_pit_state2: the interval timer.
 *
 * <pre>
 * 0 three channels  72 flags  76 reserved  112
 *
 * a channel: 0 count 4 latched_count 6 count_latched 7 status_latched 8 status 9 read_state
 *     10 write_state 11 write_latch 12 rw_mode 13 mode 14 bcd 15 gate 16 count_load_time 24
 * </pre>
 */
final class Pit {
  static final int BYTES = KvmLayout.PIT_STATE2;
  static final int CHANNELS = 3;
  static final int CHANNEL_BYTES = 24;
  static final int FLAGS = 72;
  static final int LATCHED_COUNT = 4;
  static final int COUNT_LOAD_TIME = 16;
  private static final int HPET_LEGACY = 1;
  private static final int SPEAKER = 2;

  private Pit() {}

  static GuestDevice read(Group group) {
    group.ofLength(BYTES);
    List<GuestDevice.Pit.Channel> channels = new ArrayList<>();
    for (int i = 0; i < CHANNELS; i++) {
      int at = CHANNEL_BYTES * i;
      channels.add(
          new GuestDevice.Pit.Channel(
              group.s32(at),
              group.u16(at + LATCHED_COUNT),
              group.u8(at + 6),
              group.u8(at + 7),
              group.u8(at + 8),
              group.u8(at + 9),
              group.u8(at + 10),
              group.u8(at + 11),
              group.u8(at + 12),
              group.u8(at + 13),
              group.flag(at + 14),
              group.flag(at + 15),
              group.u64(at + COUNT_LOAD_TIME)));
    }
    int flags = group.s32(FLAGS);
    return new GuestDevice.Pit(channels, (flags & HPET_LEGACY) != 0, (flags & SPEAKER) != 0);
  }
}
