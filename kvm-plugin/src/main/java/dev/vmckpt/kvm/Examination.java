// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.Finding.Source;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What can be told of a running machine without disturbing it. Of a vcpu that is its number alone:
 * its calls would wait for the guest.
 */
final class Examination {
  private static final int LOG_DIRTY_PAGES = 1;
  private static final int READONLY = 2;

  /** KVM_IOEVENTFD_FLAG_DATAMATCH and _PIO of include/uapi/linux/kvm.h. */
  private static final int DATAMATCH = 1;

  private static final int PIO = 2;

  private Examination() {}

  static List<Finding> of(
      Machine machine, VmFacts facts, List<SlotImage> slots, RemoteTask lodger) {
    List<Finding> findings = new ArrayList<>();
    DescriptorResource vm = machine.vm();
    if (vm == null) {
      return findings;
    }
    machine
        .vcpus()
        .forEach(
            (id, vcpu) ->
                findings.add(new Finding("vcpu", "vcpu:" + id, "at " + vcpu.name(), Source.TOLD)));
    for (SlotImage slot : slots) {
      findings.add(finding(slot));
    }
    CallBatch batch = lodger.batch();
    var readings = new VmGroups(facts.capabilities()).read(batch, vm.fd());
    batch.run();
    Map<String, byte[]> groups = readings.bytes(lodger);
    if (groups.containsKey(VmGroups.IRQCHIP)) {
      findings.add(device("irqchip", "two PICs and an I/O APIC in the kernel"));
    }
    if (groups.containsKey(VmGroups.PIT)) {
      findings.add(device("pit", "interval timer in the kernel"));
    }
    findings.addAll(settings(facts.settings()));
    return findings;
  }

  /** What the eventfds of the process are wired to. */
  static List<Finding> ofEventFds(List<IrqFdImage> irqFds, List<IoEventFdImage> ioEventFds) {
    List<Finding> findings = new ArrayList<>();
    for (IrqFdImage irqFd : irqFds) {
      findings.add(
          new Finding(
              "irqfd",
              "irqfd:" + irqFd.fd(),
              "raises interrupt "
                  + irqFd.gsi()
                  + (irqFd.resampleFd() < 0 ? "" : ", resampled by fd:" + irqFd.resampleFd()),
              irqFd.source()));
    }
    for (IoEventFdImage ioEventFd : ioEventFds) {
      findings.add(
          new Finding(
              "ioeventfd",
              "ioeventfd:" + ioEventFd.fd(),
              "signalled by writes to "
                  + ((ioEventFd.flags() & PIO) != 0 ? "port 0x" : "0x")
                  + Long.toHexString(ioEventFd.address())
                  + ((ioEventFd.flags() & DATAMATCH) != 0 ? " of " + ioEventFd.dataMatch() : ""),
              ioEventFd.source()));
    }
    return findings;
  }

  private static Finding device(String name, String what) {
    return new Finding("device", "device:" + name, what, Source.TOLD);
  }

  private static Finding finding(SlotImage slot) {
    String space = slot.addressSpace() == 0 ? "" : " in address space " + slot.addressSpace();
    return new Finding(
        "memslot",
        "memslot:" + slot.id(),
        "0x"
            + Long.toHexString(slot.gpa())
            + "-0x"
            + Long.toHexString(slot.gpa() + slot.bytes())
            + space
            + " at "
            + slot.hva()
            + ((slot.flags() & READONLY) != 0 ? ", read-only" : "")
            + ((slot.flags() & LOG_DIRTY_PAGES) != 0 ? ", writes are logged" : ""),
        slot.source());
  }

  private static List<Finding> settings(SettingsImage settings) {
    List<Finding> findings = new ArrayList<>();
    if (settings.source() == Source.ASSUMED) {
      findings.add(
          new Finding(
              "setting",
              "setting:routing",
              "interrupt routing, capabilities and filters as they usually are; start the monitor"
                  + " with vmckpt run to have them noted",
              Source.ASSUMED));
    }
    for (SettingsImage.Call call : settings.calls()) {
      findings.add(new Finding("setting", "setting:" + call.on(), call.name(), settings.source()));
    }
    return findings;
  }
}
