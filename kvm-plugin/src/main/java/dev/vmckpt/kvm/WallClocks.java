// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.state.Msrs;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a guest was told of the time it was started at. Setting MSR_KVM_WALL_CLOCK makes KVM write
 * it anew, to a place that a guest may use for something else by then (Documentation/virt/kvm/x86/
 * msr.rst): so it is kept before the registers are set, and put back.
 */
final class WallClocks {
  /** MSR_KVM_WALL_CLOCK and MSR_KVM_WALL_CLOCK_NEW. */
  private static final int[] MSRS = {0x11, 0x4b564d00};

  /** struct pvclock_wall_clock. */
  private static final int BYTES = 12;

  private final RemoteTask husk;
  private final Map<RemoteAddress, byte[]> kept = new LinkedHashMap<>();

  /**
   * Keeps what is there.
   *
   * @param vcpus the groups of each vcpu
   */
  WallClocks(RemoteTask husk, List<SlotImage> slots, Collection<Map<String, byte[]>> vcpus) {
    this.husk = husk;
    for (Map<String, byte[]> groups : vcpus) {
      byte[] msrs = groups.get(Msrs.NAME);
      for (int index : MSRS) {
        Long gpa = msrs == null ? null : Msrs.value(msrs, index, null);
        if (gpa != null && gpa != 0) {
          keep(slots, gpa);
        }
      }
    }
  }

  private void keep(List<SlotImage> slots, long gpa) {
    for (SlotImage slot : slots) {
      long offset = gpa - slot.gpa();
      if (slot.addressSpace() == 0 && offset >= 0 && offset <= slot.bytes() - BYTES) {
        RemoteAddress place = slot.hva().plus(offset);
        kept.putIfAbsent(place, husk.read(place, BYTES));
      }
    }
  }

  void putBack() {
    kept.forEach(husk::write);
  }
}
