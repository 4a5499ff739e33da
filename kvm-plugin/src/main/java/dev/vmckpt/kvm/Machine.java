// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.DescriptorResource;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The KVM descriptors of one process, sorted by what they are. */
final class Machine {
  private final List<DescriptorResource> systems = new ArrayList<>();
  private final TreeMap<Integer, DescriptorResource> vcpus = new TreeMap<>();
  private final List<DescriptorResource> stats = new ArrayList<>();
  private @Nullable DescriptorResource vm;

  /**
   * @param claimed those that are carried: at most one vm
   */
  Machine(List<DescriptorResource> claimed) {
    for (DescriptorResource each : claimed) {
      Link link = Link.of(each);
      if (link == null) {
        throw new IllegalArgumentException("not of KVM: " + each.link());
      }
      switch (link.kind()) {
        case SYSTEM -> systems.add(each);
        case VM -> vm = each;
        case VCPU -> vcpus.put(link.vcpu(), each);
        case VM_STATS, VCPU_STATS -> stats.add(each);
        default -> throw new IllegalArgumentException("refused: " + each.link());
      }
    }
  }

  /** Descriptors of /dev/kvm. */
  List<DescriptorResource> systems() {
    return systems;
  }

  /** The virtual machine, or null if only /dev/kvm is open. */
  @Nullable DescriptorResource vm() {
    return vm;
  }

  /** The vcpus by their ids, ascending. */
  NavigableMap<Integer, DescriptorResource> vcpus() {
    return vcpus;
  }

  /** Descriptors of statistics. */
  List<DescriptorResource> stats() {
    return stats;
  }
}
