// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.VcpuGroups;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What vcpus say they are on this host, as the user chose. */
final class CpuChoice {
  private final RestoreOptions.Cpu choice;
  private final @Nullable Cpuid then;
  private final Cpuid now;

  /**
   * @param supported struct kvm_cpuid2: what this host can show
   */
  CpuChoice(RestoreOptions.Cpu choice, VmImage saved, byte[] supported) {
    this.choice = choice;
    byte[] before = saved.groups().get(VmFacts.SUPPORTED_CPUID);
    then = before == null ? null : new Cpuid(before);
    now = new Cpuid(supported);
  }

  /** The features a vcpu was shown that this host has not, by their names. */
  List<String> missing(byte[] cpuid) {
    return new Cpuid(cpuid).missing(then, now).stream().map(CpuidNames::of).distinct().toList();
  }

  /** How many bits guest-physical addresses have here. */
  int physicalBits() {
    return now.physicalBits();
  }

  /** The groups of a vcpu, with what it is to say here. */
  Map<String, byte[]> withCpuid(Map<String, byte[]> groups) {
    byte[] cpuid = groups.get(VcpuGroups.CPUID);
    if (cpuid == null || choice == RestoreOptions.Cpu.SAVED) {
      return groups;
    }
    Cpuid saved = new Cpuid(cpuid);
    Cpuid shown = choice == RestoreOptions.Cpu.MASK ? saved.masked(then, now) : saved.onHost(now);
    Map<String, byte[]> other = new LinkedHashMap<>(groups);
    other.put(VcpuGroups.CPUID, shown.struct());
    return other;
  }
}
