// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;

/**
 * Like {@link Sregs}, with the page-directory pointers of PAE paging as the processor holds them
 * (struct kvm_sregs2): they need not be read from memory again, which may have changed since.
 */
final class Sregs2 extends StructGroup {
  Sregs2() {
    super("sregs2", KvmCap.SREGS2, KvmIoctl.GET_SREGS2, KvmIoctl.SET_SREGS2, KvmLayout.SREGS2);
  }
}
