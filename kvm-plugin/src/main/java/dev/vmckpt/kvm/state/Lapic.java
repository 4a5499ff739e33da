// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.error.Errno;

/**
 * The registers of the local APIC (struct kvm_lapic_state). Behind the APIC base in {@link Sregs},
 * which says how its number is laid out; before the MSRs, of which TSC_DEADLINE arms its timer. A
 * machine whose monitor has interrupt controllers of its own has none here.
 */
final class Lapic extends StructGroup {
  Lapic() {
    super("lapic", Capabilities.ALWAYS, KvmIoctl.GET_LAPIC, KvmIoctl.SET_LAPIC, KvmLayout.LAPIC);
  }

  @Override
  int missing() {
    return Errno.EINVAL;
  }
}
