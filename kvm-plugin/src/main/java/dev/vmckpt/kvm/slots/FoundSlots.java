// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

import dev.vmckpt.kvm.image.SlotImage;
import java.util.List;

/**
 * All memory slots of a vm.
 *
 * @param slots the slots, by address space and guest-physical address
 * @param own what is occupied and is no slot of the monitor's, by address space: KVM keeps pages of
 *     its own there on some processors (the APIC access page, the task state segment and the
 *     identity map of VMX); they need no restoring
 */
public record FoundSlots(List<SlotImage> slots, List<List<Range>> own) {
  public FoundSlots {
    slots = List.copyOf(slots);
    own = own.stream().map(List::copyOf).toList();
  }
}
