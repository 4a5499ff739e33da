// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import org.jspecify.annotations.Nullable;

/**
 * What is recorded of one KVM descriptor: exactly one of these.
 *
 * @param system {@code /dev/kvm}
 * @param vm a virtual machine
 * @param vcpu a vcpu
 * @param stats statistics
 */
public record KvmImage(
    @Nullable SystemImage system,
    @Nullable VmImage vm,
    @Nullable VcpuImage vcpu,
    @Nullable StatsImage stats) {
  public static KvmImage of(SystemImage system) {
    return new KvmImage(system, null, null, null);
  }

  public static KvmImage of(VmImage vm) {
    return new KvmImage(null, vm, null, null);
  }

  public static KvmImage of(VcpuImage vcpu) {
    return new KvmImage(null, null, vcpu, null);
  }

  public static KvmImage of(StatsImage stats) {
    return new KvmImage(null, null, null, stats);
  }
}
