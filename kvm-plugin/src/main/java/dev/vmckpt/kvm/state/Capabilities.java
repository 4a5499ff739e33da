// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a KVM says it offers (KVM_CHECK_EXTENSION).
 *
 * @param values the answer by the number of the capability; 0 for one that is not offered
 */
public record Capabilities(Map<Integer, Integer> values) {
  /** Stands for what every KVM has had from the beginning. */
  public static final int ALWAYS = -1;

  private static final int[] ASKED = {
    KvmCap.IRQCHIP,
    KvmCap.VCPU_EVENTS,
    KvmCap.MCE,
    KvmCap.PIT_STATE2,
    KvmCap.ADJUST_CLOCK,
    KvmCap.DEBUGREGS,
    KvmCap.XSAVE,
    KvmCap.XCRS,
    KvmCap.TSC_CONTROL,
    KvmCap.GET_TSC_KHZ,
    KvmCap.TSC_DEADLINE_TIMER,
    KvmCap.READONLY_MEM,
    KvmCap.X86_SMM,
    KvmCap.MULTI_ADDRESS_SPACE,
    KvmCap.SPLIT_IRQCHIP,
    KvmCap.VCPU_ATTRIBUTES,
    KvmCap.IMMEDIATE_EXIT,
    KvmCap.NESTED_STATE,
    KvmCap.EXCEPTION_PAYLOAD,
    KvmCap.MANUAL_DIRTY_LOG_PROTECT2,
    KvmCap.SREGS2,
    KvmCap.BINARY_STATS_FD,
    KvmCap.XSAVE2,
    KvmCap.VM_TSC_CONTROL,
    KvmCap.X86_TRIPLE_FAULT_EVENT,
  };

  public Capabilities {
    values = Map.copyOf(values);
  }

  /**
   * Asks a vm, whose answers are more precise than those of /dev/kvm; may be done while it runs.
   *
   * @throws dev.vmckpt.spi.error.SyscallException with EIO if the vm belongs to another process
   */
  public static Capabilities of(RemoteTask task, RemoteFd vm) {
    CallBatch batch = task.batch();
    int[] calls = new int[ASKED.length];
    for (int i = 0; i < ASKED.length; i++) {
      calls[i] =
          batch.call(
              "KVM_CHECK_EXTENSION",
              vm.toString(),
              Nr.IOCTL,
              vm.number(),
              KvmIoctl.CHECK_EXTENSION,
              ASKED[i]);
    }
    batch.run();
    Map<Integer, Integer> values = new LinkedHashMap<>();
    for (int i = 0; i < ASKED.length; i++) {
      values.put(ASKED[i], (int) batch.result(calls[i]));
    }
    return new Capabilities(values);
  }

  /** Whether it is offered. */
  public boolean has(int capability) {
    return capability == ALWAYS || value(capability) > 0;
  }

  /** What KVM_CHECK_EXTENSION says of it: often 1, sometimes a size or a mask; 0 for no. */
  public int value(int capability) {
    return values.getOrDefault(capability, 0);
  }
}
