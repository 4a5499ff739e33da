// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * Extended control registers (struct kvm_xcrs). Behind CPUID, which says which features XCR0 may
 * name (else EINVAL), and before the extended state.
 */
final class Xcrs extends StructGroup {
  Xcrs() {
    super("xcrs", KvmCap.XCRS, KvmIoctl.GET_XCRS, KvmIoctl.SET_XCRS, KvmLayout.XCRS);
  }
}
