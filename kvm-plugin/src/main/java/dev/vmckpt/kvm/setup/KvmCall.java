// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The ioctls that are listened to, with their numbers (include/uapi/linux/kvm.h). State that KVM
 * gives back when asked (KVM_GET_*) is not among them.
 */
enum KvmCall {
  CREATE_VM(0xae01, Kind.MAKE),
  CREATE_VCPU(0xae41, Kind.MAKE),
  CREATE_DEVICE(0xc00caee0, Kind.MAKE),
  RUN(0xae80, Kind.RUN),

  CREATE_IRQCHIP(0xae60, Kind.PLAIN),
  CREATE_PIT(0xae64, Kind.PLAIN),
  SET_TSS_ADDR(0xae47, Kind.PLAIN),
  SET_BOOT_CPU_ID(0xae78, Kind.PLAIN),
  SET_TSC_KHZ(0xaea2, Kind.PLAIN),

  CREATE_PIT2(0x4040ae77, Kind.STRUCTURE),
  /** struct kvm_reinject_control of 32 bytes, which the ioctl's number does not tell. */
  REINJECT_CONTROL(0xae71, Kind.STRUCTURE),
  SET_IDENTITY_MAP_ADDR(0x4008ae48, Kind.STRUCTURE),
  SET_VAPIC_ADDR(0x4008ae93, Kind.STRUCTURE),
  X86_SETUP_MCE(0x4008ae9c, Kind.STRUCTURE),
  SET_GUEST_DEBUG(0x4048ae9b, Kind.STRUCTURE),
  TPR_ACCESS_REPORTING(0xc028ae92, Kind.STRUCTURE),
  XEN_HVM_CONFIG(0x4038ae7a, Kind.STRUCTURE),
  ENABLE_CAP(0x4068aea3, Kind.STRUCTURE),

  /** struct kvm_irq_routing: the number of entries of 48 bytes stands first. */
  SET_GSI_ROUTING(0x4008ae6a, Kind.COUNTED),
  /** struct kvm_signal_mask: the length of the set stands first. */
  SET_SIGNAL_MASK(0x4004ae8b, Kind.COUNTED),
  /** struct kvm_pmu_event_filter: the number of events of 8 bytes stands second. */
  SET_PMU_EVENT_FILTER(0x4020aeb2, Kind.COUNTED),
  X86_SET_MSR_FILTER(0x4188aec6, Kind.POINTING),
  SET_DEVICE_ATTR(0x4018aee1, Kind.POINTING),

  REGISTER_COALESCED_MMIO(0x4010ae67, Kind.STRUCTURE),
  UNREGISTER_COALESCED_MMIO(0x4010ae68, Kind.STRUCTURE),
  HYPERV_EVENTFD(0x4018aebd, Kind.STRUCTURE),
  IRQFD(0x4020ae76, Kind.STRUCTURE),
  IOEVENTFD(0x4040ae79, Kind.STRUCTURE),
  SET_USER_MEMORY_REGION(0x4020ae46, Kind.STRUCTURE),
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

  KvmCall(int request, Kind kind) {
    this.request = request;
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
