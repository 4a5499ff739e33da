// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.kvm.state.Capabilities;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Makes a vm and its vcpus in a husk, empty as yet. The order is KVM's: capabilities first, for
 * they change what later calls mean; the identity map's address, the interrupt controllers and the
 * timer before any vcpu, which is wired to them when it is made.
 */
final class MachineBuilder {
  private static final int ARCH_GET_XCOMP_GUEST_PERM = 0x1024;
  private static final int ARCH_REQ_XCOMP_GUEST_PERM = 0x1025;
  private static final int EVENTS_PAYLOAD = 0x10;
  private static final int EVENTS_TRIPLE_FAULT = 0x20;

  /** The routes that QEMU, crosvm and cloud-hypervisor reserve: the I/O APIC's pins. */
  private static final long USUAL_ROUTES = 24;

  /** KVM_PIT_SPEAKER_DUMMY: port 0x61 is the kernel's as well. */
  private static final int USUAL_PIT_FLAGS = 1;

  /** Where most monitors put the pages that VMX needs for real mode: below 4 GiB − 16 MiB. */
  private static final long USUAL_IDENTITY_MAP = 0xfeffc000L;

  private static final long USUAL_TSS = 0xfeffd000L;
  private static final long USUAL_TSS_END = 0xff000000L;

  /** Beyond this, the kernel scales a time stamp counter or refuses (kvm.tsc_tolerance_ppm). */
  private static final long TOLERANCE_PPM = 250;

  private final ReattachContext context;
  private final RemoteTask husk;
  private final RemoteFd system;
  private final RemoteFd vm;
  private final Capabilities capabilities;
  private final Map<Integer, RemoteFd> vcpus = new LinkedHashMap<>();

  /**
   * Makes them.
   *
   * @param system a parked descriptor of /dev/kvm
   */
  MachineBuilder(ReattachContext context, RemoteFd system, Saved saved, VmImage image) {
    this.context = context;
    this.system = system;
    husk = context.husk();
    permitExtendedStates(image);
    vm = make("KVM_CREATE_VM", system, KvmIoctl.CREATE_VM, image.settings().vmType());
    capabilities = Capabilities.of(husk, vm);
    Replay replay = new Replay(husk, image.settings());
    replay.beforeVcpus(vm);
    if (image.settings().source() == Finding.Source.ASSUMED) {
      assume(replay, saved, image);
    }
    checkFrequency(saved);
    for (int id : saved.vcpus().keySet()) {
      vcpus.put(id, make("KVM_CREATE_VCPU", vm, KvmIoctl.CREATE_VCPU, id));
    }
  }

  RemoteFd vm() {
    return vm;
  }

  RemoteFd vcpu(int id) {
    return Objects.requireNonNull(vcpus.get(id));
  }

  Capabilities capabilities() {
    return capabilities;
  }

  private RemoteFd make(String call, RemoteFd on, long request, long argument) {
    return context.park(
        new RemoteFd(
            (int) husk.call(call, on.toString(), Nr.IOCTL, on.number(), request, argument)));
  }

  /** A guest gets AMX only in a process that asked for it before the vcpu was made. */
  private void permitExtendedStates(VmImage image) {
    byte[] bytes = image.groups().get(VmFacts.XCOMP_GUEST);
    if (bytes == null || bytes.length != Long.BYTES) {
      return;
    }
    RemoteAddress place = husk.scratch();
    if (husk.tryCall(Nr.ARCH_PRCTL, ARCH_GET_XCOMP_GUEST_PERM, place.value()) != 0) {
      return;
    }
    long wanted =
        Calls.view(bytes).getLong(0) & ~Calls.view(husk.read(place, Long.BYTES)).getLong(0);
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((wanted >>> bit & 1) != 0) {
        husk.call(
            "arch_prctl(ARCH_REQ_XCOMP_GUEST_PERM)",
            "extended state " + bit,
            Nr.ARCH_PRCTL,
            ARCH_REQ_XCOMP_GUEST_PERM,
            bit);
      }
    }
  }

  /** What can be told from the state, and for the rest what is usual. */
  private void assume(Replay replay, Saved saved, VmImage image) {
    int events = 0;
    for (Saved.Vcpu vcpu : saved.vcpus().values()) {
      byte[] state = vcpu.image().groups().get(VcpuGroups.EVENTS);
      events |= state == null ? 0 : Calls.view(state).getInt(KvmLayout.VCPU_EVENTS_FLAGS);
    }
    CallBatch batch = husk.batch();
    if ((events & EVENTS_PAYLOAD) != 0) {
      enable(batch, KvmCap.EXCEPTION_PAYLOAD, 1);
    }
    if ((events & EVENTS_TRIPLE_FAULT) != 0) {
      enable(batch, KvmCap.X86_TRIPLE_FAULT_EVENT, 1);
    }
    if (covers(image.slots(), USUAL_IDENTITY_MAP, USUAL_TSS_END)) {
      context.note("the guest has memory where most have the pages VMX uses for real mode");
    } else {
      RemoteAddress place =
          batch.place(Calls.struct(Long.BYTES).putLong(0, USUAL_IDENTITY_MAP).array());
      batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.SET_IDENTITY_MAP_ADDR, place.value());
      batch.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.SET_TSS_ADDR, USUAL_TSS);
    }
    if (image.groups().containsKey(VmGroups.IRQCHIP)) {
      batch.call(
          "KVM_CREATE_IRQCHIP", vm.toString(), Nr.IOCTL, vm.number(), KvmIoctl.CREATE_IRQCHIP, 0);
    } else if (saved.anyVcpuHas(VcpuGroups.LAPIC)) {
      enable(batch, KvmCap.SPLIT_IRQCHIP, USUAL_ROUTES);
    }
    if (image.groups().containsKey(VmGroups.PIT) && !replay.vmHad(KvmIoctl.CREATE_PIT2)) {
      RemoteAddress config =
          batch.place(Calls.struct(KvmLayout.PIT_CONFIG).putInt(0, USUAL_PIT_FLAGS).array());
      batch.call(
          "KVM_CREATE_PIT2",
          vm.toString(),
          Nr.IOCTL,
          vm.number(),
          KvmIoctl.CREATE_PIT2,
          config.value());
    }
    batch.run();
  }

  private void enable(CallBatch batch, int capability, long value) {
    enable(batch, vm, capability, value);
  }

  /** Adds KVM_ENABLE_CAP. */
  static void enable(CallBatch batch, RemoteFd vm, int capability, long value) {
    byte[] argument = new byte[KvmLayout.ENABLE_CAP];
    Calls.view(argument).putInt(0, capability).putLong(KvmLayout.ENABLE_CAP_ARGS, value);
    RemoteAddress place = batch.place(argument);
    batch.call(
        "KVM_ENABLE_CAP " + capability,
        vm.toString(),
        Nr.IOCTL,
        vm.number(),
        KvmIoctl.ENABLE_CAP,
        place.value());
  }

  private static boolean covers(List<SlotImage> slots, long from, long to) {
    for (SlotImage slot : slots) {
      if (slot.gpa() < to && slot.gpa() + slot.bytes() > from) {
        return true;
      }
    }
    return false;
  }

  /** A counter that is slower than the host's must be scaled by the processor, or cannot be. */
  private void checkFrequency(Saved saved) {
    long here = husk.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.GET_TSC_KHZ, 0);
    if (here <= 0 || capabilities.has(KvmCap.TSC_CONTROL)) {
      return;
    }
    for (Saved.Vcpu vcpu : saved.vcpus().values()) {
      byte[] bytes = vcpu.image().groups().get(VcpuGroups.TSC_KHZ);
      long khz = bytes == null ? here : Calls.view(bytes).getInt(0);
      if (khz < here - here * TOLERANCE_PPM / 1_000_000) {
        VcpuImage image = vcpu.image();
        throw new RefusedException(
            "restore",
            List.of(
                new Refusal(
                    "vcpu:" + image.id(),
                    "its time stamp counter ran at "
                        + khz
                        + " kHz, this host's at "
                        + here
                        + ", and this processor cannot scale it",
                    "restore on a host with that frequency, or with TSC scaling")));
      }
    }
  }

  /** A further descriptor of the statistics of the vm, or of a vcpu. */
  RemoteFd stats(int vcpu) {
    RemoteFd of = vcpu < 0 ? vm : vcpu(vcpu);
    return new RemoteFd(
        (int)
            husk.call(
                "KVM_GET_STATS_FD",
                of.toString(),
                Nr.IOCTL,
                of.number(),
                KvmIoctl.GET_STATS_FD,
                0));
  }

  RemoteFd system() {
    return system;
  }
}
