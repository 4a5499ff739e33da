// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.guest.Activity;
import dev.vmckpt.spi.guest.GuestDevice;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.GuestReader;
import dev.vmckpt.spi.guest.MemoryRegion;
import dev.vmckpt.spi.guest.VcpuState;
import dev.vmckpt.spi.json.RecordJson;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Reads a KVM guest out of what {@code kvm} recorded. */
public final class KvmGuestReader implements GuestReader {
  private static final String ADAPTER = "kvm";
  private static final String VM = "the vm";
  private static final int READ_ONLY = 2;
  private static final int LOG_DIRTY_PAGES = 1;
  private static final long PAGE = 4096;

  /** The state component of x87, the only one that cannot be switched off. */
  private static final long X87_ONLY = 1;

  /** Made by {@link java.util.ServiceLoader}. */
  public KvmGuestReader() {}

  @Override
  public String adapter() {
    return ADAPTER;
  }

  @Override
  public Optional<GuestImage> read(List<Recorded> recorded) {
    List<String> machines = new ArrayList<>();
    @Nullable VmImage vm = null;
    List<VcpuState> vcpus = new ArrayList<>();
    for (Recorded each : recorded) {
      KvmImage image = RecordJson.fromTree(each.state(), KvmImage.class, each.fd() + " (kvm)");
      if (image.vm() != null) {
        vm = image.vm();
        machines.add(each.fd().toString());
      }
      if (image.vcpu() != null) {
        vcpus.add(vcpu(image.vcpu()));
      }
    }
    if (vm == null) {
      return Optional.empty();
    }
    if (machines.size() > 1) {
      throw new RefusedException(
          "looking at the guest",
          List.of(
              new Refusal(
                  String.join(",", machines),
                  "the process ran " + machines.size() + " virtual machines",
                  "there is no telling yet which vcpu is whose")));
    }
    vcpus.sort(Comparator.comparingInt(VcpuState::id));
    List<GuestDevice> devices = new ArrayList<>();
    Group irqchip = Group.find(vm.groups(), VM, VmGroups.IRQCHIP);
    if (irqchip != null) {
      devices.addAll(IrqChips.read(irqchip));
    }
    Group pit = Group.find(vm.groups(), VM, VmGroups.PIT);
    if (pit != null) {
      devices.add(Pit.read(pit));
    }
    return Optional.of(
        new GuestImage(
            List.copyOf(vcpus),
            memory(vm),
            List.copyOf(devices),
            Clock.read(Group.find(vm.groups(), VM, VmGroups.CLOCK), vm)));
  }

  private static List<MemoryRegion> memory(VmImage vm) {
    List<MemoryRegion> memory = new ArrayList<>();
    for (SlotImage slot : vm.slots()) {
      boolean whole =
          ((slot.gpa() | slot.bytes() | slot.hva().value()) & (PAGE - 1)) == 0
              && slot.gpa() >= 0
              && slot.bytes() > 0
              && slot.gpa() + slot.bytes() > 0;
      if (!whole) {
        throw new SnapshotException(
            Fault.CORRUPT,
            "the snapshot's record of memslot:"
                + slot.id()
                + " is damaged: "
                + slot.bytes()
                + " bytes at 0x"
                + Long.toHexString(slot.gpa())
                + " are no range of pages");
      }
      memory.add(
          new MemoryRegion(
              slot.addressSpace(),
              slot.id(),
              slot.gpa(),
              slot.bytes(),
              slot.hva(),
              (slot.flags() & READ_ONLY) != 0,
              (slot.flags() & LOG_DIRTY_PAGES) != 0,
              slot.source()));
    }
    memory.sort(
        Comparator.comparingInt(MemoryRegion::addressSpace).thenComparingLong(MemoryRegion::gpa));
    for (int i = 1; i < memory.size(); i++) {
      MemoryRegion before = memory.get(i - 1);
      MemoryRegion region = memory.get(i);
      if (before.addressSpace() == region.addressSpace() && before.end() > region.gpa()) {
        throw new SnapshotException(
            Fault.CORRUPT,
            "the snapshot's records of memslot:"
                + before.slot()
                + " and memslot:"
                + region.slot()
                + " are damaged: they overlap");
      }
    }
    return List.copyOf(memory);
  }

  private static VcpuState vcpu(VcpuImage image) {
    String owner = "vcpu:" + image.id();
    Map<String, byte[]> groups = image.groups();
    Group second = Group.find(groups, owner, "sregs2");
    Sregs sregs =
        second == null
            ? new Sregs(Group.get(groups, owner, "sregs"), false)
            : new Sregs(second, true);
    Group xcrs = Group.find(groups, owner, "xcrs");
    Group debug = Group.find(groups, owner, "debugregs");
    Group lapic = Group.find(groups, owner, VcpuGroups.LAPIC);
    Group msrs = Group.find(groups, owner, "msrs");
    Group cpuid = Group.find(groups, owner, VcpuGroups.CPUID);
    Group events = Group.find(groups, owner, VcpuGroups.EVENTS);
    Group activity = Group.find(groups, owner, "mp-state");
    Group xsave = Group.find(groups, owner, VcpuGroups.XSAVE);
    Group khz = Group.find(groups, owner, VcpuGroups.TSC_KHZ);
    return new VcpuState(
        image.id(),
        activity == null ? Activity.RUNNING : MpState.read(activity),
        Regs.read(Group.get(groups, owner, "regs")),
        sregs.segments(),
        sregs.gdt(),
        sregs.idt(),
        sregs.control(xcrs == null ? X87_ONLY : Xcrs.xcr0(xcrs, X87_ONLY)),
        debug == null ? null : DebugRegs.read(debug),
        sregs.apicBase(),
        lapic == null ? null : lapic.ofLength(KvmLayout.LAPIC).copy(),
        xsave == null ? null : xsave.atLeast(KvmLayout.XSAVE).copy(),
        msrs == null ? List.of() : Msrs.read(msrs),
        cpuid == null ? List.of() : Cpuid.read(cpuid),
        events == null ? null : Events.read(events),
        khz == null ? 0 : khz.ofLength(Integer.BYTES).s32(0));
  }
}
