// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SettingsImage.Call;
import dev.vmckpt.kvm.setup.Pointers;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Makes the calls again that a monitor had made to set its machine up. What decides the nature of a
 * vm comes before its vcpus, what decides that of a vcpu before its CPUID; what refers to memory,
 * other descriptors or vcpus comes when those are there.
 */
final class Replay {

  private static final Set<Long> BEFORE_VCPUS =
      Set.of(
          KvmIoctl.ENABLE_CAP,
          KvmIoctl.SET_IDENTITY_MAP_ADDR,
          KvmIoctl.SET_TSS_ADDR,
          KvmIoctl.CREATE_IRQCHIP,
          KvmIoctl.CREATE_PIT,
          KvmIoctl.CREATE_PIT2,
          KvmIoctl.SET_BOOT_CPU_ID,
          KvmIoctl.SET_TSC_KHZ,
          KvmIoctl.XEN_HVM_CONFIG,
          KvmIoctl.SET_PMU_EVENT_FILTER,
          KvmIoctl.X86_SET_MSR_FILTER);

  /** Of a vcpu: groups of its state say it as well, and as it stood at the end. */
  private static final Set<Long> TOLD_BY_STATE =
      Set.of(KvmIoctl.X86_SETUP_MCE, KvmIoctl.SET_TSC_KHZ);

  private static final String VM = "vm";

  private final RemoteTask husk;
  private final List<Call> calls;

  Replay(RemoteTask husk, SettingsImage settings) {
    this.husk = husk;
    this.calls = settings.calls();
  }

  /** Whether a call of that number was made on the vm. */
  boolean vmHad(long request) {
    return calls.stream().anyMatch(call -> call.on().equals(VM) && call.request() == request);
  }

  /** The first arguments of the capabilities of that number that were enabled on the vm. */
  List<Long> vmEnabled(int capability) {
    List<Long> values = new ArrayList<>();
    for (Call call : calls) {
      if (call.on().equals(VM)
          && call.request() == KvmIoctl.ENABLE_CAP
          && Calls.view(call.argument()).getInt(0) == capability) {
        values.add(Calls.view(call.argument()).getLong(KvmLayout.ENABLE_CAP_ARGS));
      }
    }
    return values;
  }

  /** The numbers of all capabilities that were enabled, on the vm or a vcpu. */
  List<Integer> enabled() {
    List<Integer> capabilities = new ArrayList<>();
    for (Call call : calls) {
      if (call.request() == KvmIoctl.ENABLE_CAP) {
        capabilities.add(Calls.view(call.argument()).getInt(0));
      }
    }
    return capabilities;
  }

  /** What comes before the vcpus. */
  void beforeVcpus(RemoteFd vm) {
    make(vm, call -> call.on().equals(VM) && BEFORE_VCPUS.contains(call.request()));
  }

  /** What comes when memory, vcpus and other descriptors are there. */
  void onVm(RemoteFd vm) {
    make(
        vm,
        call ->
            call.on().equals(VM)
                && !BEFORE_VCPUS.contains(call.request())
                && call.request() != KvmIoctl.CREATE_DEVICE);
  }

  /** What comes before a vcpu's CPUID. */
  void beforeState(RemoteFd vcpu, int id) {
    make(vcpu, call -> call.on().equals("vcpu:" + id) && call.request() == KvmIoctl.ENABLE_CAP);
  }

  /** What comes when a vcpu has its state. */
  void onVcpu(RemoteFd vcpu, int id) {
    make(
        vcpu,
        call ->
            call.on().equals("vcpu:" + id)
                && call.request() != KvmIoctl.ENABLE_CAP
                && !TOLD_BY_STATE.contains(call.request()));
  }

  private void make(RemoteFd fd, Predicate<Call> which) {
    for (Call call : calls) {
      if (which.test(call)) {
        // One batch for each: some arguments are large.
        CallBatch batch = husk.batch();
        long argument = call.plain() ? Calls.view(call.argument()).getLong(0) : place(batch, call);
        batch.call(
            call.name(),
            call.on() + " (" + fd + ")",
            Nr.IOCTL,
            fd.number(),
            call.request(),
            argument);
        batch.run();
      }
    }
  }

  /**
   * An argument that points into itself is placed twice: the second one's pointers lead into the
   * first, whose address is known by then.
   */
  private static long place(CallBatch batch, Call call) {
    RemoteAddress raw = batch.place(call.argument());
    byte[] pointed = Pointers.at(call, raw);
    return Arrays.equals(pointed, call.argument()) ? raw.value() : batch.place(pointed).value();
  }
}
