// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.StatsImage;
import dev.vmckpt.kvm.image.SystemImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What was recorded of one machine, sorted by what it is. */
final class Saved {
  private final List<RemoteFd> systems = new ArrayList<>();
  private final TreeMap<Integer, Vcpu> vcpus = new TreeMap<>();
  private @Nullable Vm vm;

  /**
   * A virtual machine and where it stood.
   *
   * @param fd the lowest number it was held at
   */
  record Vm(RemoteFd fd, VmImage image) {}

  /**
   * A vcpu and where it stood.
   *
   * @param fd the lowest number it was held at
   */
  record Vcpu(RemoteFd fd, VcpuImage image) {}

  /**
   * @throws SnapshotException if it is not what this version writes
   */
  Saved(List<Recorded> recorded) {
    for (Recorded each : recorded) {
      KvmImage image = image(each);
      VmImage ofVm = image.vm();
      VcpuImage ofVcpu = image.vcpu();
      if (image.system() != null) {
        systems.add(each.fd());
      } else if (ofVm != null) {
        vm = new Vm(each.fd(), ofVm);
      } else if (ofVcpu != null) {
        vcpus.put(ofVcpu.id(), new Vcpu(each.fd(), ofVcpu));
      }
    }
    if (vm == null && !vcpus.isEmpty()) {
      throw new SnapshotException(
          SnapshotException.Fault.CORRUPT, "the snapshot holds vcpus without their machine");
    }
  }

  /** The record of one descriptor. */
  static KvmImage image(Recorded recorded) {
    KvmImage image =
        RecordJson.fromTree(recorded.state(), KvmImage.class, "the record of " + recorded.fd());
    SystemImage system = image.system();
    StatsImage stats = image.stats();
    if (system == null && stats == null && image.vm() == null && image.vcpu() == null) {
      throw new SnapshotException(
          SnapshotException.Fault.CORRUPT, "the record of " + recorded.fd() + " is empty");
    }
    return image;
  }

  /** Descriptors of /dev/kvm. */
  List<RemoteFd> systems() {
    return systems;
  }

  /** The virtual machine; null if only /dev/kvm was open. */
  @Nullable Vm vm() {
    return vm;
  }

  /** The vcpus by their ids, ascending. */
  NavigableMap<Integer, Vcpu> vcpus() {
    return vcpus;
  }

  /** Whether any vcpu has a group. */
  boolean anyVcpuHas(String group) {
    for (Vcpu vcpu : vcpus.values()) {
      if (vcpu.image().groups().containsKey(group)) {
        return true;
      }
    }
    return false;
  }
}
