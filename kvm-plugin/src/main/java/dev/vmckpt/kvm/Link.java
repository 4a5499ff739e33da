// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.spi.DescriptorResource;
import org.jspecify.annotations.Nullable;

/**
 * What a descriptor is to KVM, by what {@code /proc/PID/fd/N} points to (the names given in
 * virt/kvm/kvm_main.c, guest_memfd.c, vfio.c).
 *
 * @param kind what kind
 * @param vcpu the id of the vcpu it belongs to, -1 for none
 */
record Link(Kind kind, int vcpu) {
  /** The kinds. */
  enum Kind {
    SYSTEM,
    VM,
    VCPU,
    VM_STATS,
    VCPU_STATS,
    /** Memory of a guest that its own process cannot see. */
    GUEST_MEMORY,
    /** A device of the host that is handed to the guest. */
    PASSED_THROUGH,
    /** The firmware that encrypts guests. */
    ENCRYPTION,
    /** A device in the kernel that is none of the usual. */
    DEVICE
  }

  private static final String ANON = "anon_inode:";
  private static final String VCPU_PREFIX = ANON + "kvm-vcpu:";
  private static final String VCPU_STATS_PREFIX = ANON + "kvm-vcpu-stats:";
  private static final int MISC_MAJOR = 10;
  private static final int KVM_MINOR = 232;

  /** What a descriptor is, or null if it has nothing to do with KVM. */
  static @Nullable Link of(DescriptorResource resource) {
    if (resource.stat().isCharDevice()
        && resource.stat().major() == MISC_MAJOR
        && resource.stat().minor() == KVM_MINOR) {
      return new Link(Kind.SYSTEM, -1);
    }
    return ofText(resource.link());
  }

  /** The same by the link alone; {@code /dev/kvm} under another name is not recognised by it. */
  static @Nullable Link ofText(String link) {
    if (link.startsWith(VCPU_PREFIX)) {
      return numbered(Kind.VCPU, link, VCPU_PREFIX);
    }
    if (link.startsWith(VCPU_STATS_PREFIX)) {
      return numbered(Kind.VCPU_STATS, link, VCPU_STATS_PREFIX);
    }
    return switch (link) {
      case "/dev/kvm" -> new Link(Kind.SYSTEM, -1);
      case ANON + "kvm-vm" -> new Link(Kind.VM, -1);
      case ANON + "kvm-vm-stats" -> new Link(Kind.VM_STATS, -1);
      case "/dev/sev", "/dev/tdx_guest", "/dev/sgx_vepc" -> new Link(Kind.ENCRYPTION, -1);
      case ANON + "kvm-vfio", ANON + "[vfio-device]", "/dev/vfio/vfio", "/dev/iommu" ->
          new Link(Kind.PASSED_THROUGH, -1);
      default -> other(link);
    };
  }

  private static @Nullable Link other(String link) {
    if (link.contains("[kvm-gmem]") || link.contains("guest_memfd")) {
      return new Link(Kind.GUEST_MEMORY, -1);
    }
    if (link.startsWith("/dev/vfio/")) {
      return new Link(Kind.PASSED_THROUGH, -1);
    }
    return link.startsWith(ANON + "kvm-") ? new Link(Kind.DEVICE, -1) : null;
  }

  private static Link numbered(Kind kind, String link, String prefix) {
    try {
      return new Link(kind, Integer.parseInt(link.substring(prefix.length())));
    } catch (NumberFormatException unknown) {
      return new Link(Kind.DEVICE, -1);
    }
  }

  /** The link of a vcpu, of its descriptor and of its mapping alike. */
  static String vcpu(int id) {
    return VCPU_PREFIX + id;
  }
}
