// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.GuestDevice;
import java.util.ArrayList;
import java.util.List;

/**
 * Three times struct kvm_irqchip: the two interrupt controllers and the I/O APIC.
 *
 * <pre>
 * 0 chip_id  4 pad  8 chip  520
 *
 * struct kvm_pic_state: 0 last_irr 1 irr 2 imr 3 isr 4 priority_add 5 irq_base 6 read_reg_select
 *     7 poll 8 special_mask 9 init_state 10 auto_eoi 11 rotate_on_auto_eoi
 *     12 special_fully_nested_mode 13 init4 14 elcr 15 elcr_mask 16
 * struct kvm_ioapic_state: 0 base_address 8 ioregsel 12 id 16 irr 20 pad 24 redirtbl[24] 216
 * </pre>
 */
final class IrqChips {
  static final int BYTES = KvmLayout.IRQCHIP;
  static final int CHIP = 8;
  static final int COUNT = 3;
  static final int MASTER = 0;
  static final int SLAVE = 1;
  static final int IOAPIC = 2;

  static final int SELECTED = 8;
  static final int ID = 12;
  static final int IRR = 16;
  static final int REDIRECTIONS = 24;
  static final int PINS = 24;

  private IrqChips() {}

  static List<GuestDevice> read(Group group) {
    group.ofLength((long) BYTES * COUNT);
    List<GuestDevice> devices = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      int at = BYTES * i;
      switch (group.s32(at)) {
        case MASTER -> devices.add(pic(group, at + CHIP, false));
        case SLAVE -> devices.add(pic(group, at + CHIP, true));
        case IOAPIC -> devices.add(ioApic(group, at + CHIP));
        default -> throw group.wrong("has an unknown chip, number " + group.s32(at));
      }
    }
    return devices;
  }

  private static GuestDevice pic(Group group, int at, boolean slave) {
    return new GuestDevice.Pic(
        slave,
        group.u8(at),
        group.u8(at + 1),
        group.u8(at + 2),
        group.u8(at + 3),
        group.u8(at + 4),
        group.u8(at + 5),
        group.flag(at + 6),
        group.flag(at + 7),
        group.flag(at + 8),
        group.u8(at + 9),
        group.flag(at + 10),
        group.flag(at + 11),
        group.flag(at + 12),
        group.flag(at + 13),
        group.u8(at + 14),
        group.u8(at + 15));
  }

  private static GuestDevice ioApic(Group group, int at) {
    List<Long> redirections = new ArrayList<>();
    for (int pin = 0; pin < PINS; pin++) {
      redirections.add(group.u64(at + REDIRECTIONS + 8 * pin));
    }
    return new GuestDevice.IoApic(
        group.u64(at),
        group.s32(at + SELECTED),
        group.s32(at + ID),
        group.s32(at + IRR),
        redirections);
  }
}
