// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.kit.SelfTask;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.events.IoEventFdSweep;
import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.slots.SlotCheck;
import dev.vmckpt.kvm.slots.SlotSearch.Stillness;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.error.UsageException;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The KVM adapter's moments, played through with a machine of this process. */
@Isolated
class KvmAdapterTest {
  private static final long SEED = System.nanoTime();
  private static final long PORT = 0x510;
  private static final int GSI = 9;

  /** Knows what a machine was given. */
  private record Knowing(List<SlotImage> slots, int eventFd) implements MachineFinder {
    @Override
    public @Nullable SlotCheck prepare(RemoteTask task, RemoteFd vm) {
      return null;
    }

    @Override
    public @Nullable IoEventFdSweep prepare(List<RemoteFd> eventFds, List<IoEventFdImage> hints) {
      return null;
    }

    @Override
    public List<SlotImage> slots(
        RemoteTask task, RemoteFd vm, int pid, List<SlotImage> hints, Stillness stillness) {
      return slots;
    }

    @Override
    public Optional<List<SlotImage>> confirm(
        RemoteTask task, RemoteFd vm, @Nullable SlotCheck asked) {
      assertThat(asked).isNull();
      return Optional.of(slots);
    }

    @Override
    public List<IrqFdImage> irqFds(
        RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IrqFdImage> hints) {
      assertThat(eventFds).contains(new RemoteFd(eventFd));
      return List.of(new IrqFdImage(eventFd, GSI, -1, Finding.Source.FOUND));
    }

    @Override
    public List<IoEventFdImage> ioEventFds(
        RemoteTask task, RemoteFd vm, List<RemoteFd> eventFds, List<IoEventFdImage> hints) {
      // KVM_IOEVENTFD_FLAG_PIO
      return List.of(new IoEventFdImage(eventFd, PORT, 2, 2, 0, Finding.Source.FOUND));
    }
  }

  @Test
  void machineComesBack() {
    try (TestMachine machine = new TestMachine(2);
        AdapterMoments moments = new AdapterMoments(machine.task())) {
      int eventFd = (int) machine.task().call("eventfd2", "test", Nr.EVENTFD2, 0, 0x80000);
      moments.own(eventFd);
      disturb(machine);
      KvmAdapter adapter = new KvmAdapter(() -> new Knowing(machine.slots(), eventFd));
      List<Recorded> before = moments.record(adapter, machine.descriptors());
      assertThat(before).hasSize(4);
      // As from a manifest: text and back.
      List<Recorded> read = reread(before);
      assertThat(adapter.preflight(read, moments.preflight())).isEmpty();
      moments.remake(adapter, read, machine);
      List<Recorded> after = moments.record(adapter, machine.descriptors());
      assertThat(moments.notes()).isEmpty();
      assertSameMachine(before, after);
      assertWired(machine, eventFd);
      assertAllWritten(machine);
    }
  }

  private static List<Recorded> reread(List<Recorded> all) {
    List<Recorded> read = new ArrayList<>();
    for (Recorded each : all) {
      byte[] json = RecordJson.write(each.state());
      JsonTree tree = RecordJson.read(json, 0, json.length, JsonTree.class, "a test");
      read.add(new Recorded(each.fd(), each.statusFlags(), each.summary(), tree, 0));
    }
    return read;
  }

  /** Something of everything that is not as it is in a new machine. */
  private static void disturb(TestMachine machine) {
    Random random = new Random(SEED);
    for (int id = 0; id < 2; id++) {
      byte[] regs = new byte[KvmLayout.REGS];
      random.nextBytes(regs);
      Calls.view(regs).putLong(KvmLayout.REGS_RIP, 0x1000 + id).putLong(136, 2);
      machine.struct(machine.vcpu(id), KvmIoctl.SET_REGS, regs);
      byte[] xsave =
          machine.struct(machine.vcpu(id), KvmIoctl.GET_XSAVE, new byte[KvmLayout.XSAVE]);
      for (int at = 160; at < 416; at += Long.BYTES) {
        Calls.view(xsave).putLong(at, random.nextLong());
      }
      Calls.view(xsave).putLong(512, 3);
      machine.struct(machine.vcpu(id), KvmIoctl.SET_XSAVE, xsave);
      // The data of a port access, and an entry of the ring of coalesced writes.
      byte[] page = new byte[256];
      random.nextBytes(page);
      machine.task().write(machine.run(id).plus(4096), page);
      machine.task().write(machine.run(id).plus(2 * 4096), page);
    }
    machine.struct(
        machine.vm(),
        KvmIoctl.SET_CLOCK,
        Calls.struct(KvmLayout.CLOCK).putLong(0, 3_600_000_000_000L).array());
  }

  private static void assertSameMachine(List<Recorded> before, List<Recorded> after) {
    assertThat(after).hasSameSizeAs(before);
    for (int i = 0; i < before.size(); i++) {
      KvmImage was = Saved.image(before.get(i));
      KvmImage is = Saved.image(after.get(i));
      assertThat(after.get(i).fd()).isEqualTo(before.get(i).fd());
      VcpuImage vcpu = was.vcpu();
      VmImage vm = was.vm();
      if (vcpu != null) {
        VcpuImage now = Objects.requireNonNull(is.vcpu());
        assertThat(now.id()).isEqualTo(vcpu.id());
        assertThat(now.runPages()).isEqualTo(vcpu.runPages());
        assertThat(groups(now.groups())).as("seed %d", SEED).isEqualTo(groups(vcpu.groups()));
        long ran = tsc(now) - tsc(vcpu);
        assertThat(ran).as("cycles the TSC went on").isBetween(0L, 10_000_000_000L);
      } else if (vm != null) {
        VmImage now = Objects.requireNonNull(is.vm());
        assertThat(now.slots()).isEqualTo(vm.slots());
        assertThat(groups(now.groups())).isEqualTo(groups(vm.groups()));
        long ran = clock(now) - clock(vm);
        assertThat(ran).as("nanoseconds the clock went on").isBetween(0L, 4_000_000_000L);
      }
    }
  }

  /** What stands still: without clocks and what counts by them. */
  private static Map<String, List<Byte>> groups(Map<String, byte[]> groups) {
    Map<String, List<Byte>> still = new LinkedHashMap<>();
    groups.forEach(
        (name, bytes) -> {
          ByteBuffer view = Calls.view(bytes.clone());
          switch (name) {
            // What the host could show also tells which of its processors was asked (APIC id).
            case "clock", "tsc-offset", "host-cpuid" -> view.limit(0);
            case "lapic" -> view.putInt(0x390, 0);
            case "pit" -> view.putLong(16, 0).putLong(40, 0).putLong(64, 0);
            case "msrs" -> {
              for (int at = 8; at < view.limit(); at += 16) {
                if (view.getInt(at) == 0x10) {
                  view.putLong(at + 8, 0);
                }
              }
            }
            default -> {}
          }
          List<Byte> list = new ArrayList<>();
          for (int i = 0; i < view.limit(); i++) {
            list.add(view.get(i));
          }
          still.put(name, list);
        });
    return still;
  }

  private static long tsc(VcpuImage vcpu) {
    byte[] msrs = Objects.requireNonNull(vcpu.groups().get("msrs"));
    return Objects.requireNonNull(dev.vmckpt.kvm.state.Msrs.value(msrs, 0x10, null));
  }

  private static long clock(VmImage vm) {
    return Calls.view(Objects.requireNonNull(vm.groups().get("clock"))).getLong(0);
  }

  /** The eventfd raises the interrupt and is signalled at the port: both are taken. */
  private static void assertWired(TestMachine machine, int eventFd) {
    SelfTask task = machine.task();
    byte[] irqFd = new byte[32];
    Calls.view(irqFd).putInt(0, eventFd).putInt(4, GSI);
    task.write(task.scratch(), irqFd);
    assertThat(
            task.tryCall(Nr.IOCTL, machine.vm().number(), KvmIoctl.IRQFD, task.scratch().value()))
        .isEqualTo(-Errno.EBUSY);
    byte[] ioEventFd = new byte[64];
    // KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN
    Calls.view(ioEventFd).putLong(8, PORT).putInt(16, 2).putInt(20, eventFd).putInt(24, 2 | 4);
    task.write(task.scratch(), ioEventFd);
    assertThat(
            task.tryCall(
                Nr.IOCTL, machine.vm().number(), KvmIoctl.IOEVENTFD, task.scratch().value()))
        .isZero();
  }

  /** KVM_GET_DIRTY_LOG of the slot whose writes are logged: every page counts as written. */
  private static void assertAllWritten(TestMachine machine) {
    SelfTask task = machine.task();
    SlotImage logged = machine.slots().get(1);
    RemoteAddress bitmap = task.batch().reserve(TestMachine.SLOT_BYTES / 4096 / 8);
    byte[] request = new byte[16];
    Calls.view(request).putInt(0, logged.id()).putLong(8, bitmap.value());
    task.write(task.scratch(), request);
    task.call(
        "KVM_GET_DIRTY_LOG",
        "slot 3",
        Nr.IOCTL,
        machine.vm().number(),
        0x4010ae42L,
        task.scratch().value());
    assertThat(task.read(bitmap, TestMachine.SLOT_BYTES / 4096 / 8)).containsOnly(0xff);
  }

  @Test
  void recordedSettingsAreMadeAgain() {
    try (TestMachine machine = new TestMachine(1);
        AdapterMoments moments = new AdapterMoments(machine.task())) {
      KvmAdapter adapter = adapter(machine, moments);
      List<Recorded> before = new ArrayList<>();
      for (Recorded each : moments.record(adapter, machine.descriptors())) {
        before.add(withSettings(each));
      }
      moments.remake(adapter, reread(before), machine);
      // KVM_CREATE_IRQCHIP once more, and the zone is there to be taken away.
      assertThat(
              machine.task().tryCall(Nr.IOCTL, machine.vm().number(), KvmIoctl.CREATE_IRQCHIP, 0))
          .isEqualTo(-Errno.EEXIST);
      machine.struct(machine.vm(), KvmIoctl.UNREGISTER_COALESCED_MMIO, zone());
    }
  }

  private static byte[] zone() {
    return Calls.struct(16).putLong(0, 0xd0000000L).putInt(8, 4096).array();
  }

  private static Recorded withSettings(Recorded recorded) {
    VmImage vm = Saved.image(recorded).vm();
    if (vm == null) {
      return recorded;
    }
    byte[] filter = new byte[392 + 8];
    // One range for reading: MSR 0x35, whose bitmap lies behind the structure.
    Calls.view(filter).putInt(8, 1).putInt(12, 1).putInt(16, 0x35).putLong(24, 392);
    SettingsImage settings =
        new SettingsImage(
            Finding.Source.RECORDED,
            0,
            List.of(
                call("KVM_CREATE_IRQCHIP", KvmIoctl.CREATE_IRQCHIP, new byte[8], true),
                call("KVM_CREATE_PIT2", KvmIoctl.CREATE_PIT2, new byte[64], false),
                call("KVM_X86_SET_MSR_FILTER", KvmIoctl.X86_SET_MSR_FILTER, filter, false),
                call(
                    "KVM_REGISTER_COALESCED_MMIO",
                    KvmIoctl.REGISTER_COALESCED_MMIO,
                    zone(),
                    false)));
    VmImage other =
        new VmImage(
            vm.groups(),
            vm.slots(),
            List.of(),
            List.of(),
            settings,
            vm.realtimeNanos(),
            vm.hostTscKhz());
    return new Recorded(
        recorded.fd(),
        recorded.statusFlags(),
        recorded.summary(),
        RecordJson.toTree(KvmImage.of(other)),
        0);
  }

  private static SettingsImage.Call call(
      String name, long request, byte[] argument, boolean plain) {
    return new SettingsImage.Call("vm", name, request, argument, plain);
  }

  private static KvmAdapter adapter(TestMachine machine, AdapterMoments moments) {
    int eventFd = (int) machine.task().call("eventfd2", "test", Nr.EVENTFD2, 0, 0x80000);
    moments.own(eventFd);
    return new KvmAdapter(() -> new Knowing(machine.slots(), eventFd));
  }

  @Test
  void realTimeGoesOn() {
    try (TestMachine machine = new TestMachine(1);
        AdapterMoments moments = new AdapterMoments(machine.task())) {
      KvmAdapter adapter = adapter(machine, moments);
      List<Recorded> before = new ArrayList<>();
      for (Recorded each : reread(moments.record(adapter, machine.descriptors()))) {
        before.add(anHourAgo(each));
      }
      moments.wishes().put(RestoreOptions.CLOCK, "real");
      moments.remake(adapter, before, machine);
      List<Recorded> after = moments.record(adapter, machine.descriptors());
      for (int i = 0; i < after.size(); i++) {
        VmImage vm = Saved.image(after.get(i)).vm();
        VcpuImage vcpu = Saved.image(after.get(i)).vcpu();
        if (vm != null) {
          VmImage was = Objects.requireNonNull(Saved.image(before.get(i)).vm());
          assertThat(clock(vm) - clock(was)).isBetween(3_600_000_000_000L, 3_610_000_000_000L);
        } else if (vcpu != null) {
          VcpuImage was = Objects.requireNonNull(Saved.image(before.get(i)).vcpu());
          long khz =
              Calls.view(Objects.requireNonNull(was.groups().get(VcpuGroups.TSC_KHZ))).getInt(0);
          if (counterCanBeSet(machine)) {
            assertThat(tsc(vcpu) - tsc(was)).isBetween(3_600_000 * khz, 3_610_000 * khz);
          } else {
            assertThat(moments.notes())
                .anySatisfy(note -> assertThat(note).contains("vcpu:0: its time stamp counter"));
          }
        }
      }
    }
  }

  /** Where guests have the host's own counter, it stays as it is, and KVM says it was set. */
  private static boolean counterCanBeSet(TestMachine machine) {
    byte[] far = Calls.struct(24).putInt(0, 1).putInt(8, 0x10).putLong(16, 1L << 60).array();
    machine.struct(machine.vcpu(0), KvmIoctl.SET_MSRS, far);
    byte[] one = Calls.struct(24).putInt(0, 1).putInt(8, 0x10).array();
    return Calls.view(machine.struct(machine.vcpu(0), KvmIoctl.GET_MSRS, one)).getLong(16)
        >= 1L << 60;
  }

  private static Recorded anHourAgo(Recorded recorded) {
    VmImage vm = Saved.image(recorded).vm();
    if (vm == null) {
      return recorded;
    }
    Map<String, byte[]> groups = new LinkedHashMap<>(vm.groups());
    // Flags 0: KVM did not tell the real time with its clock.
    byte[] clock = Objects.requireNonNull(groups.get("clock")).clone();
    Calls.view(clock).putInt(KvmLayout.CLOCK_FLAGS, 0);
    groups.put("clock", clock);
    VmImage other =
        new VmImage(
            groups,
            vm.slots(),
            vm.irqFds(),
            vm.ioEventFds(),
            vm.settings(),
            vm.realtimeNanos() - 3_600_000_000_000L,
            vm.hostTscKhz());
    return new Recorded(
        recorded.fd(),
        recorded.statusFlags(),
        recorded.summary(),
        RecordJson.toTree(KvmImage.of(other)),
        0);
  }

  @Test
  void missingFeatureIsRefusedByNameAndCanBeMasked() {
    try (TestMachine machine = new TestMachine(1);
        AdapterMoments moments = new AdapterMoments(machine.task())) {
      KvmAdapter adapter = adapter(machine, moments);
      // 3DNow!: gone from every processor of the last decade. And a bit without a name.
      List<Recorded> edited = new ArrayList<>();
      for (Recorded each : reread(moments.record(adapter, machine.descriptors()))) {
        edited.add(withFeature(withFeature(each, 0x80000001, 24, 1 << 31), 7, 20, 1 << 19));
      }
      assertThat(adapter.preflight(edited, moments.preflight()))
          .singleElement()
          .satisfies(
              refusal -> {
                assertThat(refusal.resource()).isEqualTo("vcpu:0");
                assertThat(refusal.why()).contains("3dnow", "leaf 0x7 ecx bit 19");
                assertThat(refusal.remedy()).contains("kvm:cpu=mask");
              });
      for (String wish : List.of("mask", "host")) {
        moments.wishes().put(RestoreOptions.CPU, wish);
        assertThat(adapter.preflight(edited, moments.preflight())).isEmpty();
        assertThat(moments.notes()).anySatisfy(note -> assertThat(note).contains("3dnow"));
        moments.remake(adapter, edited, machine);
        byte[] cpuid = cpuidNow(machine);
        assertThat(new Cpuid(cpuid).register(0x80000001, 0, 3) >>> 31).isZero();
        assertThat(new Cpuid(cpuid).register(1, 0, 3)).isNotZero();
      }
    }
  }

  private static byte[] cpuidNow(TestMachine machine) {
    byte[] room = new byte[KvmLayout.CPUID_HEADER + 256 * KvmLayout.CPUID_ENTRY];
    Calls.view(room).putInt(0, 256);
    return machine.struct(machine.vcpu(0), KvmIoctl.GET_CPUID2, room);
  }

  /**
   * Says that the vcpu was shown a feature, and that its host had it.
   *
   * @param register where it stands in struct kvm_cpuid_entry2: 12 eax, 16 ebx, 20 ecx, 24 edx
   */
  private static Recorded withFeature(Recorded recorded, int leaf, int register, int bits) {
    KvmImage image = Saved.image(recorded);
    VmImage vm = image.vm();
    VcpuImage vcpu = image.vcpu();
    if (vcpu != null) {
      Map<String, byte[]> groups = new LinkedHashMap<>(vcpu.groups());
      groups.put("cpuid", with(groups.getOrDefault("cpuid", new byte[8]), leaf, register, bits));
      image = KvmImage.of(new VcpuImage(vcpu.id(), groups, vcpu.runPages()));
    } else if (vm != null) {
      Map<String, byte[]> groups = new LinkedHashMap<>(vm.groups());
      String host = VmFacts.SUPPORTED_CPUID;
      groups.put(host, with(groups.getOrDefault(host, new byte[8]), leaf, register, bits));
      image =
          KvmImage.of(
              new VmImage(
                  groups,
                  vm.slots(),
                  vm.irqFds(),
                  vm.ioEventFds(),
                  vm.settings(),
                  vm.realtimeNanos(),
                  vm.hostTscKhz()));
    }
    return new Recorded(
        recorded.fd(), recorded.statusFlags(), recorded.summary(), RecordJson.toTree(image), 0);
  }

  private static byte[] with(byte[] cpuid, int leaf, int register, int bits) {
    byte[] other = cpuid.clone();
    ByteBuffer view = Calls.view(other);
    for (int i = 0; i < view.getInt(0); i++) {
      int at = KvmLayout.CPUID_HEADER + i * KvmLayout.CPUID_ENTRY;
      if (view.getInt(at) == leaf && view.getInt(at + 4) == 0) {
        view.putInt(at + register, view.getInt(at + register) | bits);
      }
    }
    return other;
  }

  @ParameterizedTest
  @ValueSource(strings = {"kvm:cpu=fast", "kvm:clock=stop", "kvm:memory=none", "kvm=host"})
  void unknownWishesAreRefused(String wish) {
    int equals = wish.indexOf('=');
    Map<String, String> wishes = Map.of(wish.substring(0, equals), wish.substring(equals + 1));
    assertThatThrownBy(() -> RestoreOptions.of(wishes))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("kvm:c");
  }

  @Test
  void examinationTellsWhatThereIs() {
    try (TestMachine machine = new TestMachine(2);
        AdapterMoments moments = new AdapterMoments(machine.task())) {
      KvmAdapter adapter = adapter(machine, moments);
      List<Finding> findings = moments.examine(adapter, machine.descriptors());
      assertThat(findings.stream().map(Finding::name))
          .contains("vcpu:0", "vcpu:1", "memslot:0", "memslot:3", "device:irqchip", "device:pit");
      assertThat(findings)
          .filteredOn(finding -> finding.name().equals("memslot:3"))
          .singleElement()
          .satisfies(slot -> assertThat(slot.what()).contains("0x400000-0x500000", "logged"));
    }
  }
}
