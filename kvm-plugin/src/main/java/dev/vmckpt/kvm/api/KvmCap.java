// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.api;

/**
 * The capabilities that are asked for or enabled (include/uapi/linux/kvm.h), by their name there
 * without {@code KVM_CAP_}.
 */
public final class KvmCap {
  public static final int IRQCHIP = 0;
  public static final int VCPU_EVENTS = 41;
  public static final int NR_MEMSLOTS = 10;
  public static final int MCE = 31;
  public static final int PIT_STATE2 = 35;
  public static final int ADJUST_CLOCK = 39;
  public static final int DEBUGREGS = 50;
  public static final int XSAVE = 55;
  public static final int XCRS = 56;
  public static final int TSC_CONTROL = 60;
  public static final int GET_TSC_KHZ = 61;
  public static final int TSC_DEADLINE_TIMER = 72;
  public static final int READONLY_MEM = 81;
  public static final int X86_SMM = 117;
  public static final int MULTI_ADDRESS_SPACE = 118;
  public static final int SPLIT_IRQCHIP = 121;
  public static final int VCPU_ATTRIBUTES = 127;
  public static final int IMMEDIATE_EXIT = 136;
  public static final int NESTED_STATE = 157;
  public static final int EXCEPTION_PAYLOAD = 164;
  public static final int MANUAL_DIRTY_LOG_PROTECT2 = 168;
  public static final int SREGS2 = 200;
  public static final int BINARY_STATS_FD = 203;
  public static final int XSAVE2 = 208;
  public static final int VM_TSC_CONTROL = 214;
  public static final int X86_TRIPLE_FAULT_EVENT = 218;

  private KvmCap() {}
}
