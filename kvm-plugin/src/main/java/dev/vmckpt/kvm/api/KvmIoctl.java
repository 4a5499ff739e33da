// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.api;

/**
 * The requests of ioctl(2) that KVM understands (include/uapi/linux/kvm.h), by their name there
 * without {@code KVM_}. Each carries the size of its structure: a request whose structure the
 * kernel has changed is another number.
 */
public final class KvmIoctl {
  // On /dev/kvm.
  public static final long GET_API_VERSION = io(0x00);
  public static final long CREATE_VM = io(0x01);
  public static final long GET_MSR_INDEX_LIST = iowr(0x02, 4);
  public static final long GET_VCPU_MMAP_SIZE = io(0x04);
  public static final long GET_SUPPORTED_CPUID = iowr(0x05, 8);

  /** On /dev/kvm, and on a vm (KVM_CAP_CHECK_EXTENSION_VM). */
  public static final long CHECK_EXTENSION = io(0x03);

  // On a vm.
  public static final long CREATE_VCPU = io(0x41);
  public static final long SET_USER_MEMORY_REGION = iow(0x46, KvmLayout.MEMORY_REGION);
  public static final long SET_TSS_ADDR = io(0x47);
  public static final long SET_IDENTITY_MAP_ADDR = iow(0x48, 8);
  public static final long CREATE_IRQCHIP = io(0x60);
  public static final long GET_IRQCHIP = iowr(0x62, KvmLayout.IRQCHIP);
  public static final long SET_IRQCHIP = ior(0x63, KvmLayout.IRQCHIP);
  public static final long REGISTER_COALESCED_MMIO = iow(0x67, 16);
  public static final long UNREGISTER_COALESCED_MMIO = iow(0x68, 16);
  public static final long CREATE_DEVICE = iowr(0xe0, 12);
  public static final long SET_GSI_ROUTING = iow(0x6a, 8);
  public static final long CREATE_PIT = io(0x64);
  public static final long REINJECT_CONTROL = io(0x71);
  public static final long IRQFD = iow(0x76, 32);
  public static final long CREATE_PIT2 = iow(0x77, KvmLayout.PIT_CONFIG);
  public static final long SET_BOOT_CPU_ID = io(0x78);
  public static final long IOEVENTFD = iow(0x79, 64);
  public static final long XEN_HVM_CONFIG = iow(0x7a, 56);
  public static final long SET_CLOCK = iow(0x7b, KvmLayout.CLOCK);
  public static final long GET_CLOCK = ior(0x7c, KvmLayout.CLOCK);
  public static final long GET_PIT2 = ior(0x9f, KvmLayout.PIT_STATE2);
  public static final long SET_PIT2 = iow(0xa0, KvmLayout.PIT_STATE2);
  public static final long SET_PMU_EVENT_FILTER = iow(0xb2, 32);
  public static final long MEMORY_ENCRYPT_OP = iowr(0xba, 8);
  public static final long HYPERV_EVENTFD = iow(0xbd, 24);
  public static final long CLEAR_DIRTY_LOG = iowr(0xc0, 24);
  public static final long X86_SET_MSR_FILTER = iow(0xc6, 392);

  /** On a vm and on a vcpu. */
  public static final long ENABLE_CAP = iow(0xa3, KvmLayout.ENABLE_CAP);

  /** On a vm and on a vcpu. */
  public static final long SET_TSC_KHZ = io(0xa2);

  /** On a vm and on a vcpu; the frequency is what it returns. */
  public static final long GET_TSC_KHZ = io(0xa3);

  /** On a vm and on a vcpu. */
  public static final long GET_STATS_FD = io(0xce);

  // On a vcpu.
  public static final long RUN = io(0x80);
  public static final long GET_REGS = ior(0x81, KvmLayout.REGS);
  public static final long SET_REGS = iow(0x82, KvmLayout.REGS);
  public static final long GET_SREGS = ior(0x83, KvmLayout.SREGS);
  public static final long SET_SREGS = iow(0x84, KvmLayout.SREGS);
  public static final long GET_MSRS = iowr(0x88, 8);
  public static final long SET_MSRS = iow(0x89, 8);
  public static final long SET_SIGNAL_MASK = iow(0x8b, 4);
  public static final long GET_LAPIC = ior(0x8e, KvmLayout.LAPIC);
  public static final long SET_LAPIC = iow(0x8f, KvmLayout.LAPIC);
  public static final long SET_CPUID2 = iow(0x90, 8);
  public static final long GET_CPUID2 = iowr(0x91, 8);
  public static final long TPR_ACCESS_REPORTING = iowr(0x92, 40);
  public static final long SET_VAPIC_ADDR = iow(0x93, 8);
  public static final long GET_MP_STATE = ior(0x98, KvmLayout.MP_STATE);
  public static final long SET_MP_STATE = iow(0x99, KvmLayout.MP_STATE);
  public static final long SET_GUEST_DEBUG = iow(0x9b, 72);
  public static final long X86_SETUP_MCE = iow(0x9c, 8);
  public static final long GET_VCPU_EVENTS = ior(0x9f, KvmLayout.VCPU_EVENTS);
  public static final long SET_VCPU_EVENTS = iow(0xa0, KvmLayout.VCPU_EVENTS);
  public static final long GET_DEBUGREGS = ior(0xa1, KvmLayout.DEBUGREGS);
  public static final long SET_DEBUGREGS = iow(0xa2, KvmLayout.DEBUGREGS);
  public static final long GET_XSAVE = ior(0xa4, KvmLayout.XSAVE);
  public static final long SET_XSAVE = iow(0xa5, KvmLayout.XSAVE);
  public static final long GET_XCRS = ior(0xa6, KvmLayout.XCRS);
  public static final long SET_XCRS = iow(0xa7, KvmLayout.XCRS);
  public static final long KVMCLOCK_CTRL = io(0xad);
  public static final long GET_NESTED_STATE = iowr(0xbe, KvmLayout.NESTED_HEADER);
  public static final long SET_NESTED_STATE = iow(0xbf, KvmLayout.NESTED_HEADER);
  public static final long GET_SREGS2 = ior(0xcc, KvmLayout.SREGS2);
  public static final long SET_SREGS2 = iow(0xcd, KvmLayout.SREGS2);
  public static final long GET_XSAVE2 = ior(0xcf, KvmLayout.XSAVE);

  // On a device, and with KVM_CAP_VCPU_ATTRIBUTES on a vcpu.
  public static final long SET_DEVICE_ATTR = iow(0xe1, KvmLayout.DEVICE_ATTR);
  public static final long GET_DEVICE_ATTR = iow(0xe2, KvmLayout.DEVICE_ATTR);
  public static final long HAS_DEVICE_ATTR = iow(0xe3, KvmLayout.DEVICE_ATTR);

  private static final int KVMIO = 0xAE;
  private static final int WRITE = 1;
  private static final int READ = 2;

  private KvmIoctl() {}

  private static long io(int number) {
    return request(0, number, 0);
  }

  private static long iow(int number, int size) {
    return request(WRITE, number, size);
  }

  private static long ior(int number, int size) {
    return request(READ, number, size);
  }

  private static long iowr(int number, int size) {
    return request(READ | WRITE, number, size);
  }

  /** The layout of asm-generic/ioctl.h: direction 2 bits, size 14, type 8, number 8. */
  private static long request(int direction, int number, int size) {
    return ((long) direction << 30) | ((long) size << 16) | ((long) KVMIO << 8) | number;
  }
}
