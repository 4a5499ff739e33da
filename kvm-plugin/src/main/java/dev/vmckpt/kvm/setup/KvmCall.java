// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import dev.vmckpt.kvm.api.KvmIoctl;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The ioctls that are listened to. State that KVM gives back when asked (KVM_GET_*) is not among
 * them.
 */
enum KvmCall {
  CREATE_VM(KvmIoctl.CREATE_VM, Kind.MAKE),
  CREATE_VCPU(KvmIoctl.CREATE_VCPU, Kind.MAKE),
  CREATE_DEVICE(KvmIoctl.CREATE_DEVICE, Kind.MAKE),
  RUN(KvmIoctl.RUN, Kind.RUN),

  CREATE_IRQCHIP(KvmIoctl.CREATE_IRQCHIP, Kind.PLAIN),
  CREATE_PIT(KvmIoctl.CREATE_PIT, Kind.PLAIN),
  SET_TSS_ADDR(KvmIoctl.SET_TSS_ADDR, Kind.PLAIN),
  SET_BOOT_CPU_ID(KvmIoctl.SET_BOOT_CPU_ID, Kind.PLAIN),
  SET_TSC_KHZ(KvmIoctl.SET_TSC_KHZ, Kind.PLAIN),

  CREATE_PIT2(KvmIoctl.CREATE_PIT2, Kind.STRUCTURE),
  /** struct kvm_reinject_control of 32 bytes, which the ioctl's number does not tell. */
  REINJECT_CONTROL(KvmIoctl.REINJECT_CONTROL, Kind.STRUCTURE),
  SET_IDENTITY_MAP_ADDR(KvmIoctl.SET_IDENTITY_MAP_ADDR, Kind.STRUCTURE),
  SET_VAPIC_ADDR(KvmIoctl.SET_VAPIC_ADDR, Kind.STRUCTURE),
  X86_SETUP_MCE(KvmIoctl.X86_SETUP_MCE, Kind.STRUCTURE),
  SET_GUEST_DEBUG(KvmIoctl.SET_GUEST_DEBUG, Kind.STRUCTURE),
  TPR_ACCESS_REPORTING(KvmIoctl.TPR_ACCESS_REPORTING, Kind.STRUCTURE),
  XEN_HVM_CONFIG(KvmIoctl.XEN_HVM_CONFIG, Kind.STRUCTURE),
  ENABLE_CAP(KvmIoctl.ENABLE_CAP, Kind.STRUCTURE),

  /** struct kvm_irq_routing: the number of entries of 48 bytes stands first. */
  SET_GSI_ROUTING(KvmIoctl.SET_GSI_ROUTING, Kind.COUNTED),
  /** struct kvm_signal_mask: the length of the set stands first. */
  SET_SIGNAL_MASK(KvmIoctl.SET_SIGNAL_MASK, Kind.COUNTED),
  /** struct kvm_pmu_event_filter: the number of events of 8 bytes stands second. */
  SET_PMU_EVENT_FILTER(KvmIoctl.SET_PMU_EVENT_FILTER, Kind.COUNTED),
  X86_SET_MSR_FILTER(KvmIoctl.X86_SET_MSR_FILTER, Kind.POINTING),
  SET_DEVICE_ATTR(KvmIoctl.SET_DEVICE_ATTR, Kind.POINTING),

  REGISTER_COALESCED_MMIO(KvmIoctl.REGISTER_COALESCED_MMIO, Kind.STRUCTURE),
  UNREGISTER_COALESCED_MMIO(KvmIoctl.UNREGISTER_COALESCED_MMIO, Kind.STRUCTURE),
  HYPERV_EVENTFD(KvmIoctl.HYPERV_EVENTFD, Kind.STRUCTURE),
  IRQFD(KvmIoctl.IRQFD, Kind.STRUCTURE),
  IOEVENTFD(KvmIoctl.IOEVENTFD, Kind.STRUCTURE),
  SET_USER_MEMORY_REGION(KvmIoctl.SET_USER_MEMORY_REGION, Kind.STRUCTURE),
  /** Younger than the headers that {@link KvmIoctl} is held against. */
  SET_USER_MEMORY_REGION2(0x40a0ae49, Kind.STRUCTURE);

  /** What a call's argument is. */
  enum Kind {
    /** It makes a new object, whose descriptor it returns. */
    MAKE,
    /** KVM_RUN. */
    RUN,
    /** A number. */
    PLAIN,
    /** A structure of {@link #size} bytes. */
    STRUCTURE,
    /** A structure that tells its own length. */
    COUNTED,
    /** A structure that points to others. */
    POINTING
  }

  private static final int REINJECT_CONTROL_BYTES = 32;

  /** The type of every ioctl of KVM (KVMIO), in bits 8 to 15 of its number. */
  private static final int KVMIO = 0xae;

  private static final Map<Integer, KvmCall> BY_REQUEST = new HashMap<>();

  static {
    for (KvmCall call : values()) {
      BY_REQUEST.put(call.request, call);
    }
  }

  private final int request;
  private final Kind kind;

  KvmCall(long request, Kind kind) {
    this.request = (int) request;
    this.kind = kind;
  }

  /** The call of a number, or null if it is none that is listened to. */
  static @Nullable KvmCall of(long request) {
    // An ioctl's number is an unsigned int: the kernel looks at the low half only.
    int number = (int) request;
    return (number >> 8 & 0xff) == KVMIO ? BY_REQUEST.get(number) : null;
  }

  /** Its number, as an unsigned value. */
  long request() {
    return Integer.toUnsignedLong(request);
  }

  Kind kind() {
    return kind;
  }

  /** The size of its structure in bytes, mostly told by its number (_IOC_SIZE). */
  int size() {
    return this == REINJECT_CONTROL ? REINJECT_CONTROL_BYTES : request >>> 16 & 0x3fff;
  }

  /** Its name in the header. */
  String kernelName() {
    return "KVM_" + name();
  }
}
