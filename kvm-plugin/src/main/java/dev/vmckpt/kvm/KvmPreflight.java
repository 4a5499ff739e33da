// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.kvm.state.MsrIndices;
import dev.vmckpt.kvm.state.Msrs;
import dev.vmckpt.kvm.state.NestedState;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.PreflightContext;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.NotPermittedException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Whether the KVM of this host can take a saved machine. */
final class KvmPreflight {
  private static final int API_VERSION = 12;
  private static final int READONLY = 2;
  private static final int LOG_DIRTY_PAGES = 1;
  private static final int INITIALLY_SET = 2;

  private final RemoteTask process;
  private final PreflightContext context;
  private final Saved saved;
  private final List<Refusal> refusals = new ArrayList<>();
  private final RemoteFd system;

  private KvmPreflight(Saved saved, PreflightContext context) {
    this.saved = saved;
    this.context = context;
    process = context.process();
    long fd = SystemFacts.tryOpen(process);
    if (fd < 0) {
      throw unusable(fd);
    }
    system = new RemoteFd((int) fd);
  }

  /**
   * Looks.
   *
   * @return what stands in the way
   * @throws NotPermittedException if there is no KVM here, or it may not be used
   */
  static List<Refusal> check(Saved saved, PreflightContext context) {
    RestoreOptions options = RestoreOptions.of(context.reattach());
    if (saved.vm() == null && saved.systems().isEmpty()) {
      return List.of();
    }
    KvmPreflight preflight = new KvmPreflight(saved, context);
    try {
      preflight.look(options);
    } finally {
      preflight.process.tryCall(Nr.CLOSE, preflight.system.number());
    }
    return preflight.refusals;
  }

  private static NotPermittedException unusable(long error) {
    if (SystemFacts.isMissing(error)) {
      return new NotPermittedException(
          "the snapshot holds a KVM machine, and this machine has no KVM (/dev/kvm is missing):"
              + " load kvm_intel or kvm_amd, switch virtualization on in the firmware, or restore"
              + " where there is KVM");
    }
    if (error == -Errno.EACCES || error == -Errno.EPERM) {
      return new NotPermittedException(
          "the snapshot holds a KVM machine, and you may not use /dev/kvm: join the group that"
              + " owns it, or run as root");
    }
    return new NotPermittedException("/dev/kvm cannot be opened: " + Errno.describe((int) -error));
  }

  private void look(RestoreOptions options) {
    SystemFacts host = SystemFacts.of(process, system);
    if (host.apiVersion() != API_VERSION) {
      refuse("KVM", "its version is " + host.apiVersion() + ", not 12", "use a newer kernel");
    }
    Saved.Vm vm = saved.vm();
    if (vm == null) {
      return;
    }
    lookAtVm(vm);
    CpuChoice cpus = new CpuChoice(options.cpu(), vm.image(), host.cpuid());
    Set<Integer> msrs = new HashSet<>();
    for (int[] family : MsrIndices.families(host.msrs())) {
      for (int index : family) {
        msrs.add(index);
      }
    }
    for (Saved.Vcpu vcpu : saved.vcpus().values()) {
      lookAtVcpu(vcpu, cpus, options);
      lookAtMsrs(vcpu, msrs, vm.image(), options);
    }
  }

  private void lookAtVm(Saved.Vm vm) {
    VmImage image = vm.image();
    String name = vm.fd() + " virtual machine";
    require(
        name,
        image.groups().containsKey(VmGroups.IRQCHIP),
        KvmCap.IRQCHIP,
        "interrupt controllers");
    require(name, image.groups().containsKey(VmGroups.PIT), KvmCap.PIT_STATE2, "an interval timer");
    for (int capability : new Replay(process, image.settings()).enabled()) {
      require(name, true, capability, "capability " + capability);
    }
    int spaces = Math.max(1, ask(KvmCap.MULTI_ADDRESS_SPACE));
    for (SlotImage slot : image.slots()) {
      String slotName = "memslot:" + slot.id();
      require(slotName, (slot.flags() & READONLY) != 0, KvmCap.READONLY_MEM, "read-only memory");
      if (slot.addressSpace() >= spaces) {
        refuse(
            slotName,
            "it is memory of system management mode, which this KVM has not",
            "restore on a host that has it");
      }
      if ((slot.flags() & LOG_DIRTY_PAGES) != 0
          && (ask(KvmCap.MANUAL_DIRTY_LOG_PROTECT2) & INITIALLY_SET) == 0) {
        refuse(
            slotName,
            "writes to it are being logged, and this KVM cannot begin such a log with all pages",
            "use Linux 5.7 or newer, or take the snapshot while no migration runs");
      }
    }
  }

  private void lookAtVcpu(Saved.Vcpu vcpu, CpuChoice cpus, RestoreOptions options) {
    String name = "vcpu:" + vcpu.image().id();
    byte[] cpuid = vcpu.image().groups().get(VcpuGroups.CPUID);
    if (cpuid != null) {
      List<String> missing = cpus.missing(cpuid);
      if (!missing.isEmpty() && options.cpu() == RestoreOptions.Cpu.SAVED) {
        refuse(
            name,
            "its processor had what this host has not: " + String.join(", ", missing),
            "restore on such a host, or without it, if the guest does not use it: --reattach"
                + " kvm:cpu=mask");
      } else if (!missing.isEmpty()) {
        context.note(name + " comes back without " + String.join(", ", missing));
      }
      int bits = new Cpuid(cpuid).physicalBits();
      if (bits > cpus.physicalBits()) {
        refuse(
            name,
            "its physical addresses have " + bits + " bits, here they have " + cpus.physicalBits(),
            "restore on a host with as many");
      }
    }
    byte[] nested = vcpu.image().groups().get(VcpuGroups.NESTED);
    require(
        name,
        nested != null && nested.length >= KvmLayout.NESTED_HEADER && NestedState.inUse(nested),
        KvmCap.NESTED_STATE,
        "virtualization inside its guest");
    byte[] xsave = vcpu.image().groups().get(VcpuGroups.XSAVE);
    if (xsave != null && xsave.length > Math.max(KvmLayout.XSAVE, ask(KvmCap.XSAVE2))) {
      require(name, true, KvmCap.XSAVE2, "extended states of " + xsave.length + " bytes");
    }
  }

  /** Registers that KVM had listed, that hold something, and that it does not know here. */
  private void lookAtMsrs(
      Saved.Vcpu vcpu, Set<Integer> here, VmImage image, RestoreOptions options) {
    byte[] msrs = vcpu.image().groups().get(Msrs.NAME);
    byte[] list = image.groups().get(VmFacts.MSR_LIST);
    if (msrs == null || list == null || options.cpu() != RestoreOptions.Cpu.SAVED) {
      return;
    }
    List<String> unknown = new ArrayList<>();
    for (int at = 0; at + Integer.BYTES <= list.length; at += Integer.BYTES) {
      int index = Calls.view(list).getInt(at);
      Long value = Msrs.value(msrs, index, 0L);
      if (!here.contains(index) && value != null && value != 0) {
        unknown.add("0x" + Integer.toHexString(index));
      }
    }
    if (!unknown.isEmpty()) {
      refuse(
          "vcpu:" + vcpu.image().id(),
          "this KVM does not know its model specific registers " + String.join(", ", unknown),
          "restore on a host that does, or --reattach kvm:cpu=mask");
    }
  }

  private int ask(int capability) {
    return (int) process.tryCall(Nr.IOCTL, system.number(), KvmIoctl.CHECK_EXTENSION, capability);
  }

  private void require(String who, boolean needed, int capability, String what) {
    if (needed && ask(capability) <= 0) {
      refuse(
          who,
          "it needs " + what + ", which this KVM does not offer",
          "restore on a host that does");
    }
  }

  private void refuse(String who, String why, String remedy) {
    refusals.add(new Refusal(who, why, remedy));
  }
}
