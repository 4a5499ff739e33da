// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.AreaClaim;
import dev.vmckpt.spi.AreaResource;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import java.util.List;
import java.util.Optional;

/** What is carried of a process' KVM descriptors and mappings, and what is not and why. */
final class Claims {
  /** KVM_DIRTY_LOG_PAGE_OFFSET of asm/kvm.h, in bytes. */
  private static final long DIRTY_RING_OFFSET = 64 * 4096L;

  private Claims() {}

  static Optional<Claim> of(DescriptorResource resource, List<DescriptorResource> all) {
    Link link = Link.of(resource);
    if (link == null) {
      return Optional.empty();
    }
    String drop = "leave it out: --drop " + resource.name();
    return Optional.of(
        switch (link.kind()) {
          case SYSTEM -> Claim.carried("KVM; opened again");
          case VM ->
              machines(all) > 1
                  ? Claim.refused(
                      "virtual machine",
                      "the process has "
                          + machines(all)
                          + " virtual machines, and KVM does not tell which vcpu is whose",
                      "run each in a process of its own")
                  : Claim.carried("virtual machine; made again with its memory slots and devices");
          case VCPU ->
              machines(all) == 0
                  ? Claim.refused(
                      "vcpu " + link.vcpu(),
                      "its virtual machine has no descriptor in this process",
                      "keep the vm's descriptor open in it")
                  : Claim.carried("vcpu " + link.vcpu() + "; made again with its state");
          case VM_STATS, VCPU_STATS ->
              machines(all) == 0
                  ? Claim.refused(
                      "statistics of KVM",
                      "the virtual machine has no descriptor in this process",
                      drop)
                  : Claim.changed("statistics of KVM; they begin anew");
          case GUEST_MEMORY ->
              Claim.refused(
                  "memory of a confidential guest",
                  "nobody but the guest may read it (guest_memfd)",
                  "run the guest without memory protection");
          case PASSED_THROUGH ->
              Claim.refused(
                  "device of the host that is handed to the guest",
                  "what it holds cannot be read (VFIO)",
                  "take the device out of the guest before the snapshot");
          case ENCRYPTION ->
              Claim.refused(
                  "the encryption of guests",
                  "an encrypted guest cannot be read (SEV, TDX, SGX)",
                  "run the guest without it");
          case DEVICE ->
              Claim.refused(
                  "device of KVM: " + resource.link(), "this kind of device is not known", drop);
        });
  }

  /** How many virtual machines a process has. */
  private static long machines(List<DescriptorResource> all) {
    long machines = 0;
    for (DescriptorResource each : all) {
      Link link = Link.ofText(each.link());
      if (link != null && link.kind() == Link.Kind.VM) {
        machines++;
      }
    }
    return machines;
  }

  static Optional<AreaClaim> of(AreaResource area, List<DescriptorResource> all) {
    Link link = Link.ofText(area.path());
    if (link == null || link.kind() != Link.Kind.VCPU) {
      return Optional.empty();
    }
    for (DescriptorResource each : all) {
      if (each.link().equals(area.path())) {
        return Optional.of(
            area.offset() >= DIRTY_RING_OFFSET
                ? AreaClaim.refused(
                    each.fd(),
                    "dirty ring of vcpu " + link.vcpu(),
                    "what the ring has told and not told yet cannot be set again"
                        + " (KVM_CAP_DIRTY_LOG_RING)",
                    "run the monitor without a dirty ring")
                : AreaClaim.carried(each.fd(), "what vcpu " + link.vcpu() + " tells its monitor"));
      }
    }
    // The descriptor is closed and only the mapping is left: nobody can make that again.
    return Optional.empty();
  }
}
