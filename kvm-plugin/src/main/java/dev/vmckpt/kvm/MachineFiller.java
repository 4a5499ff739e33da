// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.kvm.state.Capabilities;
import dev.vmckpt.kvm.state.Setting;
import dev.vmckpt.kvm.state.TimeRule;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Gives a machine that was made in a husk what the saved one held. All descriptors stand at their
 * numbers by now, and memory is there.
 */
final class MachineFiller {
  /** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE and KVM_DIRTY_LOG_INITIALLY_SET. */
  private static final long MANUAL_AND_ALL_SET = 3;

  private static final int INITIALLY_SET = 2;
  private static final int LOG_DIRTY_PAGES = 1;
  private static final int CALLS_IN_A_BATCH = 500;
  private static final int IRQFD_BYTES = 32;
  private static final int IRQFD_RESAMPLE = 2;
  private static final int IOEVENTFD_BYTES = 64;

  private final ReattachContext context;
  private final RemoteTask husk;
  private final Saved saved;
  private final RemoteFd vm;
  private final VmImage image;
  private final Capabilities capabilities;
  private final RestoreOptions options;
  private final Replay replay;
  private final Map<Integer, Map<String, byte[]>> groups = new LinkedHashMap<>();

  MachineFiller(
      ReattachContext context,
      Saved saved,
      Saved.Vm vm,
      Capabilities capabilities,
      RestoreOptions options,
      CpuChoice cpus) {
    this.context = context;
    husk = context.husk();
    this.saved = saved;
    this.vm = vm.fd();
    image = vm.image();
    this.capabilities = capabilities;
    this.options = options;
    replay = new Replay(husk, image.settings());
    saved.vcpus().forEach((id, vcpu) -> groups.put(id, cpus.withCpuid(vcpu.image().groups())));
  }

  /** All of it, in the order that KVM needs. */
  void fill() {
    setSlots();
    VcpuGroups vcpuGroups = new VcpuGroups(capabilities, new int[0][]);
    saved
        .vcpus()
        .forEach(
            (id, vcpu) -> {
              replay.beforeState(vcpu.fd(), id);
              CallBatch batch = husk.batch();
              vcpuGroups.setNature(batch, vcpu.fd(), groupsOf(id));
              batch.run();
            });
    replay.onVm(vm);
    TimeRule time = setClock();
    CallBatch controllers = husk.batch();
    new VmGroups(capabilities).set(controllers, vm, image.groups());
    controllers.run();
    WallClocks wallClocks = new WallClocks(husk, image.slots(), groups.values());
    int hostKhz = hostKhz();
    saved
        .vcpus()
        .forEach(
            (id, vcpu) -> {
              CallBatch batch = husk.batch();
              Setting counter =
                  time.setTsc(
                      batch, vcpu.fd(), groupsOf(id), capabilities, image.hostTscKhz(), hostKhz);
              List<Setting> settings = vcpuGroups.setContents(batch, vcpu.fd(), groupsOf(id));
              batch.run();
              counter.differences().forEach(each -> note(id, each));
              judge(id, settings);
              replay.onVcpu(vcpu.fd(), id);
            });
    wallClocks.putBack();
    setRunPages();
    wire();
    if (options.clock() == RestoreOptions.Clock.REAL) {
      tellTimePassed();
    }
  }

  private Map<String, byte[]> groupsOf(int vcpu) {
    return groups.getOrDefault(vcpu, Map.of());
  }

  /**
   * Makes the memory slots. Which pages of a slot had been written since somebody last asked cannot
   * be read without forgetting it, so all count as written: KVM can begin a log with all pages set,
   * whatever it does afterwards.
   */
  private void setSlots() {
    boolean canProtect = capabilities.has(KvmCap.MANUAL_DIRTY_LOG_PROTECT2);
    boolean logged = image.slots().stream().anyMatch(s -> (s.flags() & LOG_DIRTY_PAGES) != 0);
    boolean allSet =
        logged && (capabilities.value(KvmCap.MANUAL_DIRTY_LOG_PROTECT2) & INITIALLY_SET) != 0;
    List<SlotImage> slots = image.slots();
    for (int from = 0; from == 0 || from < slots.size(); from += CALLS_IN_A_BATCH) {
      CallBatch batch = husk.batch();
      if (allSet) {
        MachineBuilder.enable(batch, vm, KvmCap.MANUAL_DIRTY_LOG_PROTECT2, MANUAL_AND_ALL_SET);
      }
      for (SlotImage slot : slots.subList(from, Math.min(slots.size(), from + CALLS_IN_A_BATCH))) {
        setSlot(batch, slot);
      }
      if (canProtect) {
        MachineBuilder.enable(batch, vm, KvmCap.MANUAL_DIRTY_LOG_PROTECT2, protection());
      }
      batch.run();
    }
  }

  /**
   * How the log was kept. If nobody knows: by hand. A monitor that expects pages to be forgotten
   * when it asks then hears of them again, and one that forgets them itself loses none.
   */
  private long protection() {
    List<Long> enabled = replay.vmEnabled(KvmCap.MANUAL_DIRTY_LOG_PROTECT2);
    if (!enabled.isEmpty()) {
      return enabled.get(enabled.size() - 1);
    }
    boolean known = image.settings().source() == Finding.Source.RECORDED;
    return known ? 0 : MANUAL_AND_ALL_SET & capabilities.value(KvmCap.MANUAL_DIRTY_LOG_PROTECT2);
  }

  private void setSlot(CallBatch batch, SlotImage slot) {
    byte[] argument = new byte[KvmLayout.MEMORY_REGION];
    ByteBuffer region = Calls.view(argument);
    region.putInt(0, slot.addressSpace() << 16 | slot.id()).putInt(4, slot.flags());
    region.putLong(8, slot.gpa()).putLong(16, slot.bytes()).putLong(24, slot.hva().value());
    RemoteAddress place = batch.place(argument);
    batch.call(
        "KVM_SET_USER_MEMORY_REGION",
        "memslot:" + slot.id() + " at 0x" + Long.toHexString(slot.gpa()),
        Nr.IOCTL,
        vm.number(),
        KvmIoctl.SET_USER_MEMORY_REGION,
        place.value());
  }

  private TimeRule setClock() {
    byte[] clock = image.groups().get(VmGroups.CLOCK);
    return TimeRule.setClock(
        husk,
        vm,
        capabilities,
        clock == null ? new byte[KvmLayout.CLOCK] : clock,
        image.realtimeNanos(),
        options.clock() == RestoreOptions.Clock.REAL);
  }

  private int hostKhz() {
    long khz = husk.tryCall(Nr.IOCTL, vm.number(), KvmIoctl.GET_TSC_KHZ, 0);
    return khz > 0 ? (int) khz : 0;
  }

  /**
   * A listed register that is not what it was is a failure; one that KVM does not list, or that
   * belongs to a processor the user wanted otherwise, is told.
   */
  private void judge(int vcpu, List<Setting> settings) {
    Set<Integer> listed = listed();
    List<String> wrong = new ArrayList<>();
    for (Setting setting : settings) {
      for (Setting.Difference difference : setting.differences()) {
        if (options.cpu() == RestoreOptions.Cpu.SAVED && listed.contains(difference.index())) {
          wrong.add(difference.what());
        } else {
          note(vcpu, difference);
        }
      }
    }
    if (!wrong.isEmpty()) {
      throw new FailureException(
          "vcpu:" + vcpu + " cannot get its registers back here: " + String.join("; ", wrong));
    }
  }

  private void note(int vcpu, Setting.Difference difference) {
    context.note("vcpu:" + vcpu + ": " + difference.what());
  }

  private Set<Integer> listed() {
    Set<Integer> listed = new HashSet<>();
    byte[] bytes = image.groups().get(VmFacts.MSR_LIST);
    for (int at = 0; bytes != null && at + Integer.BYTES <= bytes.length; at += Integer.BYTES) {
      listed.add(Calls.view(bytes).getInt(at));
    }
    return listed;
  }

  /** What a vcpu had told its monitor: the monitor may not have read it yet. */
  private void setRunPages() {
    RunMappings mappings = RunMappings.of(husk.pid());
    saved
        .vcpus()
        .forEach(
            (id, vcpu) -> {
              RunMappings.Mapping mapping = mappings.byVcpu().get(id);
              byte[] pages = vcpu.image().runPages();
              if (pages.length == 0) {
                return;
              }
              if (mapping == null || mapping.bytes() < pages.length) {
                throw new FailureException(
                    "vcpu:" + id + " is not mapped as it was: " + pages.length + " bytes");
              }
              husk.write(mapping.start(), pages);
            });
  }

  private void wire() {
    CallBatch batch = husk.batch();
    int calls = 0;
    for (IrqFdImage irqFd : image.irqFds()) {
      if (++calls % CALLS_IN_A_BATCH == 0) {
        batch.run();
        batch = husk.batch();
      }
      addIrqFd(batch, irqFd);
    }
    for (IoEventFdImage ioEventFd : image.ioEventFds()) {
      if (++calls % CALLS_IN_A_BATCH == 0) {
        batch.run();
        batch = husk.batch();
      }
      addIoEventFd(batch, ioEventFd);
    }
    batch.run();
  }

  private void addIrqFd(CallBatch batch, IrqFdImage irqFd) {
    byte[] argument = new byte[IRQFD_BYTES];
    ByteBuffer view = Calls.view(argument);
    view.putInt(0, irqFd.fd()).putInt(4, irqFd.gsi());
    if (irqFd.resampleFd() >= 0) {
      view.putInt(8, IRQFD_RESAMPLE).putInt(12, irqFd.resampleFd());
    }
    RemoteAddress place = batch.place(argument);
    batch.call(
        "KVM_IRQFD",
        "fd:" + irqFd.fd() + " for interrupt " + irqFd.gsi(),
        Nr.IOCTL,
        vm.number(),
        KvmIoctl.IRQFD,
        place.value());
  }

  private void addIoEventFd(CallBatch batch, IoEventFdImage ioEventFd) {
    byte[] argument = new byte[IOEVENTFD_BYTES];
    ByteBuffer view = Calls.view(argument);
    view.putLong(0, ioEventFd.dataMatch()).putLong(8, ioEventFd.address());
    view.putInt(16, ioEventFd.bytes()).putInt(20, ioEventFd.fd());
    view.putInt(24, ioEventFd.flags());
    RemoteAddress place = batch.place(argument);
    batch.call(
        "KVM_IOEVENTFD",
        "fd:" + ioEventFd.fd() + " at 0x" + Long.toHexString(ioEventFd.address()),
        Nr.IOCTL,
        vm.number(),
        KvmIoctl.IOEVENTFD,
        place.value());
  }

  /** So that a guest's watchdog does not take the gap for a hang; EINVAL without kvmclock. */
  private void tellTimePassed() {
    for (Saved.Vcpu vcpu : saved.vcpus().values()) {
      husk.tryCall(Nr.IOCTL, vcpu.fd().number(), KvmIoctl.KVMCLOCK_CTRL, 0);
    }
  }
}
