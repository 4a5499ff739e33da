// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.api;

/**
 * Sizes and offsets, in bytes, of the structures KVM takes and gives (include/uapi/linux/kvm.h,
 * arch/x86/include/uapi/asm/kvm.h). A test holds each of them against the system's headers.
 */
public final class KvmLayout {
  public static final int REGS = 144;
  public static final int REGS_RIP = 128;
  public static final int SREGS = 312;
  public static final int SREGS_APIC_BASE = 272;
  public static final int SREGS2 = 320;
  public static final int XSAVE = 4096;
  public static final int XCRS = 392;
  public static final int LAPIC = 1024;
  public static final int MP_STATE = 4;
  public static final int VCPU_EVENTS = 64;
  public static final int VCPU_EVENTS_FLAGS = 20;
  public static final int DEBUGREGS = 128;

  /** struct kvm_nested_state without the data behind it. */
  public static final int NESTED_HEADER = 128;

  public static final int NESTED_SIZE = 4;

  public static final int MSRS_HEADER = 8;
  public static final int MSR_ENTRY = 16;
  public static final int MSR_DATA = 8;
  public static final int CPUID_HEADER = 8;
  public static final int CPUID_ENTRY = 40;

  public static final int IRQCHIP = 520;
  public static final int PIT_CONFIG = 64;
  public static final int PIT_STATE2 = 112;

  public static final int CLOCK = 48;
  public static final int CLOCK_FLAGS = 8;
  public static final int CLOCK_REALTIME = 16;
  public static final int CLOCK_HOST_TSC = 24;

  public static final int MEMORY_REGION = 32;
  public static final int ENABLE_CAP = 104;
  public static final int ENABLE_CAP_ARGS = 8;
  public static final int DEVICE_ATTR = 24;
  public static final int DEVICE_ATTR_ADDR = 16;

  /** kvm_run.immediate_exit, one byte. */
  public static final int RUN_IMMEDIATE_EXIT = 1;

  /** kvm_run.exit_reason, four bytes. */
  public static final int RUN_EXIT_REASON = 8;

  private KvmLayout() {}
}
