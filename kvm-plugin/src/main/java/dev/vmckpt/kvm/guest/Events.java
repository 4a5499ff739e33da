// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.PendingEvents;

/**
 * struct kvm_vcpu_events.
 *
 * <pre>
 *  0 exception: 0 injected 1 nr 2 has_error_code 3 pending 4 error_code
 *  8 interrupt: 8 injected 9 nr 10 soft 11 shadow
 * 12 nmi:      12 injected 13 pending 14 masked
 * 16 sipi_vector  20 flags
 * 24 smi:      24 smm 25 pending 26 smm_inside_nmi 27 latched_init
 * 28 triple_fault.pending  29 reserved  55 exception_has_payload  56 exception_payload  64
 * </pre>
 */
final class Events {
  static final int BYTES = KvmLayout.VCPU_EVENTS;
  static final int EXCEPTION_INJECTED = 0;
  static final int EXCEPTION_NR = 1;
  static final int EXCEPTION_HAS_ERROR_CODE = 2;
  static final int EXCEPTION_PENDING = 3;
  static final int EXCEPTION_ERROR_CODE = 4;
  static final int INTERRUPT_INJECTED = 8;
  static final int INTERRUPT_NR = 9;
  static final int INTERRUPT_SOFT = 10;
  static final int INTERRUPT_SHADOW = 11;
  static final int NMI_INJECTED = 12;
  static final int NMI_PENDING = 13;
  static final int NMI_MASKED = 14;
  static final int SIPI_VECTOR = 16;
  static final int SMI_SMM = 24;
  static final int SMI_PENDING = 25;
  static final int SMI_LATCHED_INIT = 27;
  static final int TRIPLE_FAULT = 28;
  static final int HAS_PAYLOAD = 55;
  static final int PAYLOAD = 56;

  private Events() {}

  static PendingEvents read(Group group) {
    Group g = group.ofLength(BYTES);
    return new PendingEvents(
        g.flag(EXCEPTION_PENDING),
        g.flag(EXCEPTION_INJECTED),
        g.u8(EXCEPTION_NR),
        g.flag(EXCEPTION_HAS_ERROR_CODE),
        g.s32(EXCEPTION_ERROR_CODE),
        g.flag(HAS_PAYLOAD),
        g.u64(PAYLOAD),
        g.flag(INTERRUPT_INJECTED),
        g.u8(INTERRUPT_NR),
        g.flag(INTERRUPT_SOFT),
        g.u8(INTERRUPT_SHADOW),
        g.flag(NMI_INJECTED),
        g.flag(NMI_PENDING),
        g.flag(NMI_MASKED),
        g.s32(SIPI_VECTOR),
        g.flag(SMI_SMM),
        g.flag(SMI_PENDING),
        g.flag(SMI_LATCHED_INIT),
        g.flag(TRIPLE_FAULT));
  }
}
