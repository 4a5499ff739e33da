// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.image.StatsImage;
import dev.vmckpt.kvm.image.SystemImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.guest.Activity;
import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.CpuidLeaf;
import dev.vmckpt.spi.guest.GuestDevice;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.GuestReader;
import dev.vmckpt.spi.guest.Msr;
import dev.vmckpt.spi.guest.Segment;
import dev.vmckpt.spi.guest.VcpuState;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/** The kernel's structures in neutral words; and damaged ones, which must be told as such. */
class KvmGuestReaderTest {
  private final KvmGuestReader reader = new KvmGuestReader();

  @Test
  void isFoundByItsService() {
    List<String> adapters = new ArrayList<>();
    ServiceLoader.load(GuestReader.class).forEach(each -> adapters.add(each.adapter()));
    assertThat(adapters).contains("kvm");
  }

  @Test
  void aProcessWithoutAMachineHasNoGuest() {
    assertThat(reader.read(List.of())).isEmpty();
    assertThat(reader.read(List.of(recorded(3, KvmImage.of(new SystemImage(12)))))).isEmpty();
  }

  @Test
  void readsAWholeMachine() {
    GuestImage guest = reader.read(machine(vcpuGroups(), vmGroups())).orElseThrow();

    assertThat(guest.vcpus()).extracting(VcpuState::id).containsExactly(0, 1);
    VcpuState vcpu = guest.vcpus().get(0);
    assertThat(vcpu.registers().rax()).isEqualTo(0x1000);
    assertThat(vcpu.registers().r15()).isEqualTo(0x100f);
    assertThat(vcpu.registers().rip()).isEqualTo(0x1010);
    assertThat(vcpu.registers().rflags()).isEqualTo(0x1011);
    assertThat(vcpu.mode()).isEqualTo(VcpuState.Mode.LONG);
    assertThat(vcpu.ring()).isEqualTo(3);
    assertThat(vcpu.activity()).isEqualTo(Activity.HALTED);
    assertThat(vcpu.segments().cs())
        .isEqualTo(
            new Segment(
                0x33, 0x12345678, 0xfffff, 11, true, 3, true, false, true, false, true, false));
    assertThat(vcpu.gdt().base()).isEqualTo(0xfe000);
    assertThat(vcpu.gdt().limit()).isEqualTo(0x7f);
    assertThat(vcpu.control().cr3()).isEqualTo(0x9000);
    assertThat(vcpu.control().xcr0()).isEqualTo(7);
    assertThat(vcpu.control().paging()).isEqualTo(ControlRegisters.Paging.FOUR_LEVEL);
    assertThat(vcpu.apicBase()).isEqualTo(0xfee00900L);
    assertThat(vcpu.msrs()).containsExactly(new Msr(0xc0000102L, -2));
    assertThat(vcpu.msr(0xc0000102L, 0)).isEqualTo(-2);
    assertThat(vcpu.cpuid())
        .containsExactly(
            new CpuidLeaf(0x80000001, -1, 1, 2, 3, 4), new CpuidLeaf(0xd, 2, 256, 576, 0, 0));
    assertThat(Objects.requireNonNull(vcpu.events()).nmiMasked()).isTrue();
    assertThat(vcpu.events().interruptVector()).isEqualTo(0xec);
    assertThat(Objects.requireNonNull(vcpu.debug()).dr7()).isEqualTo(0x400);
    assertThat(Objects.requireNonNull(vcpu.xsave())).hasSize(4096);
    assertThat(vcpu.tscKhz()).isEqualTo(2_100_000);

    assertThat(guest.memory()).hasSize(2);
    assertThat(guest.memory().get(0).gpa()).isZero();
    assertThat(guest.memory().get(0).end()).isEqualTo(0xa0000);
    assertThat(guest.memory().get(0).dirtyLogged()).isTrue();
    assertThat(guest.memory().get(1).readOnly()).isTrue();
    assertThat(guest.devices()).hasSize(4);
    assertThat(guest.devices().get(1))
        .isInstanceOfSatisfying(
            GuestDevice.Pic.class,
            pic -> {
              assertThat(pic.slave()).isTrue();
              assertThat(pic.vectorBase()).isEqualTo(0x38);
            });
    assertThat(guest.devices().get(2))
        .isInstanceOfSatisfying(
            GuestDevice.IoApic.class,
            apic -> {
              assertThat(apic.gpa()).isEqualTo(0xfec00000L);
              assertThat(apic.redirections()).hasSize(24).last().isEqualTo(0x10023L);
            });
    assertThat(guest.devices().get(3))
        .isInstanceOfSatisfying(
            GuestDevice.Pit.class,
            pit -> {
              assertThat(pit.channels().get(2).count()).isEqualTo(65536);
              assertThat(pit.speaker()).isTrue();
            });
    assertThat(guest.clock().guestNanos()).isEqualTo(77);
    assertThat(guest.clock().realtimeNanos()).isEqualTo(5);
    assertThat(guest.clock().hostTsc()).isEqualTo(99);
  }

  @Test
  void theSecondFormOfSregsIsPreferred() {
    Map<String, byte[]> groups = vcpuGroups();
    byte[] old = Objects.requireNonNull(groups.get("sregs"));
    ByteBuffer second = struct(Sregs.BYTES_2).put(0, old, 0, Sregs.FLAGS_2);
    second.putLong(Sregs.FLAGS_2, 1).putLong(Sregs.PDPTRS_2 + 24, 0x4001);
    second.putLong(Sregs.CR3, 0xa000);
    groups.put("sregs2", bytes(second));
    VcpuState vcpu = reader.read(machine(groups, vmGroups())).orElseThrow().vcpus().get(0);
    assertThat(vcpu.control().cr3()).isEqualTo(0xa000);
    assertThat(vcpu.control().pdptrs()).containsExactly(0L, 0L, 0L, 0x4001L);
  }

  @Test
  void whatWasNotRecordedIsNotInvented() {
    Map<String, byte[]> groups = vcpuGroups();
    groups.keySet().retainAll(List.of("regs", "sregs"));
    GuestImage guest = reader.read(machine(groups, new HashMap<>())).orElseThrow();
    VcpuState vcpu = guest.vcpus().get(0);
    assertThat(vcpu.xsave()).isNull();
    assertThat(vcpu.localApic()).isNull();
    assertThat(vcpu.events()).isNull();
    assertThat(vcpu.debug()).isNull();
    assertThat(vcpu.msrs()).isEmpty();
    assertThat(guest.clock().guestNanos()).isEqualTo(-1);
    assertThat(guest.devices()).isEmpty();
  }

  @Test
  void withoutItsRegistersThereIsNoVcpu() {
    for (String name : List.of("regs", "sregs")) {
      Map<String, byte[]> groups = vcpuGroups();
      groups.remove(name);
      assertThatThrownBy(() -> reader.read(machine(groups, vmGroups())))
          .isInstanceOfSatisfying(
              SnapshotException.class,
              e -> assertThat(e.fault()).isEqualTo(SnapshotException.Fault.CORRUPT))
          .hasMessageContaining("no group " + name);
    }
  }

  @Test
  void aGroupOfAnyOtherLengthIsDamage() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (boolean ofVcpu : new boolean[] {true, false}) {
      Map<String, byte[]> whole = ofVcpu ? vcpuGroups() : vmGroups();
      for (String name : whole.keySet()) {
        byte[] right = Objects.requireNonNull(whole.get(name));
        for (int round = 0; round < 40; round++) {
          byte[] wrong = new byte[round == 0 ? 0 : random.nextInt(right.length + 300)];
          random.nextBytes(wrong);
          System.arraycopy(right, 0, wrong, 0, Math.min(right.length, wrong.length));
          boolean may =
              wrong.length == right.length || (name.equals("xsave") && wrong.length > right.length);
          if (may) {
            continue;
          }
          Map<String, byte[]> vcpu = vcpuGroups();
          Map<String, byte[]> vm = vmGroups();
          (ofVcpu ? vcpu : vm).put(name, wrong);
          assertThatThrownBy(() -> reader.read(machine(vcpu, vm)))
              .as("group " + name + " of " + wrong.length + " bytes, seed " + seed)
              .isInstanceOf(SnapshotException.class)
              .hasMessageContaining("group " + name);
        }
      }
    }
  }

  @Test
  void anyContentIsReadOrToldAsDamaged() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int round = 0; round < 3000; round++) {
      Map<String, byte[]> vcpu = vcpuGroups();
      Map<String, byte[]> vm = vmGroups();
      for (byte[] group : random.nextBoolean() ? vcpu.values() : vm.values()) {
        if (random.nextInt(3) == 0) {
          random.nextBytes(group);
        } else if (group.length > 0) {
          group[random.nextInt(group.length)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      try {
        GuestImage guest = reader.read(machine(vcpu, vm)).orElseThrow();
        assertThat(guest.vcpus()).as("seed " + seed).hasSize(2);
        byte[] json = RecordJson.write(guest);
        assertThat(json).isNotEmpty();
        guest.vcpus().get(0).mode();
        guest.vcpus().get(0).control().paging();
      } catch (SnapshotException e) {
        assertThat(e.fault()).as("seed " + seed).isEqualTo(SnapshotException.Fault.CORRUPT);
      }
    }
  }

  @Test
  void slotsThatAreNoPagesOrOverlapAreDamage() {
    for (SlotImage bad :
        List.of(
            slot(5, 0x100, 0x1000),
            slot(5, 0x200000, 0x1001),
            slot(5, 0x200000, 0),
            slot(5, 0x200000, -0x1000),
            slot(5, Long.MAX_VALUE & ~0xfffL, 0x2000),
            slot(5, 0x9f000, 0x2000))) {
      assertThatThrownBy(
              () ->
                  reader.read(List.of(recorded(9, machine(vmGroups(), slot(1, 0, 0xa0000), bad)))))
          .as(bad.toString())
          .isInstanceOf(SnapshotException.class)
          .hasMessageContaining("memslot:5");
    }
  }

  @Test
  void twoMachinesAreRefused() {
    assertThatThrownBy(
            () ->
                reader.read(
                    List.of(recorded(9, machine(vmGroups())), recorded(12, machine(vmGroups())))))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("fd:9,fd:12");
  }

  private static List<Recorded> machine(Map<String, byte[]> vcpu, Map<String, byte[]> vm) {
    return List.of(
        recorded(8, KvmImage.of(new SystemImage(12))),
        recorded(9, machine(vm, slot(1, 0xe0000, 0x20000), slot(0, 0, 0xa0000))),
        recorded(11, KvmImage.of(new VcpuImage(1, vcpuGroups(), new byte[0]))),
        recorded(10, KvmImage.of(new VcpuImage(0, vcpu, new byte[0]))),
        recorded(12, KvmImage.of(new StatsImage(0, 0))));
  }

  private static KvmImage machine(Map<String, byte[]> groups, SlotImage... slots) {
    return KvmImage.of(
        new VmImage(
            groups,
            List.of(slots),
            List.of(),
            List.of(),
            new SettingsImage(Finding.Source.ASSUMED, 0, List.of()),
            3,
            2_100_000));
  }

  private static SlotImage slot(int id, long gpa, long bytes) {
    return new SlotImage(
        id,
        0,
        id == 0 ? 1 : 2,
        gpa,
        bytes,
        new RemoteAddress(0x7f0000000000L),
        Finding.Source.FOUND);
  }

  private static Recorded recorded(int fd, Record image) {
    return new Recorded(new RemoteFd(fd), 2, "kvm", RecordJson.toTree(image), 0);
  }

  private static Map<String, byte[]> vcpuGroups() {
    Map<String, byte[]> groups = new LinkedHashMap<>();
    ByteBuffer regs = struct(Regs.BYTES);
    // rax, rbx … in the structure's own order, then r8 to r15, rip and rflags.
    for (int i = 0; i < 18; i++) {
      regs.putLong(8 * i, 0x1000 + i);
    }
    groups.put("regs", bytes(regs));
    ByteBuffer sregs = struct(Sregs.BYTES);
    sregs.putLong(Sregs.CS, 0x12345678).putInt(Sregs.CS + Sregs.LIMIT, 0xfffff);
    sregs.putShort(Sregs.CS + Sregs.SELECTOR, (short) 0x33).put(Sregs.CS + Sregs.TYPE, (byte) 11);
    sregs.put(Sregs.CS + Sregs.PRESENT, (byte) 1).put(Sregs.CS + Sregs.DPL, (byte) 3);
    sregs.put(Sregs.CS + Sregs.S, (byte) 1).put(Sregs.CS + Sregs.L, (byte) 1);
    sregs.put(Sregs.CS + Sregs.G, (byte) 1).put(Sregs.SS + Sregs.DPL, (byte) 3);
    sregs.putLong(Sregs.GDT, 0xfe000).putShort(Sregs.GDT + Sregs.LIMIT, (short) 0x7f);
    sregs.putLong(Sregs.CR0, 0x80000011L).putLong(Sregs.CR3, 0x9000);
    sregs.putLong(Sregs.CR4, 0x20).putLong(Sregs.EFER, 0xd01);
    sregs.putLong(Sregs.APIC_BASE, 0xfee00900L);
    groups.put("sregs", bytes(sregs));
    groups.put("xsave", new byte[4096]);
    ByteBuffer xcrs = struct(Xcrs.BYTES).putInt(0, 1);
    groups.put("xcrs", bytes(xcrs.putLong(Xcrs.ENTRIES + Xcrs.VALUE, 7)));
    ByteBuffer msrs = struct(24).putInt(0, 1).putInt(8, 0xc0000102);
    groups.put("msrs", bytes(msrs.putLong(16, -2)));
    groups.put("lapic", new byte[1024]);
    groups.put("mp-state", bytes(struct(4).putInt(0, MpState.HALTED)));
    ByteBuffer events = struct(Events.BYTES).put(Events.NMI_MASKED, (byte) 1);
    groups.put("vcpu-events", bytes(events.put(Events.INTERRUPT_NR, (byte) 0xec)));
    groups.put("debugregs", bytes(struct(DebugRegs.BYTES).putLong(DebugRegs.DR7, 0x400)));
    ByteBuffer cpuid = struct(88).putInt(0, 2).putInt(8, 0x80000001);
    cpuid.putInt(20, 1).putInt(24, 2).putInt(28, 3).putInt(32, 4);
    cpuid.putInt(48, 0xd).putInt(52, 2).putInt(56, 1).putInt(60, 256).putInt(64, 576);
    groups.put("cpuid", bytes(cpuid));
    groups.put("tsc-khz", bytes(struct(4).putInt(0, 2_100_000)));
    return groups;
  }

  private static Map<String, byte[]> vmGroups() {
    Map<String, byte[]> groups = new LinkedHashMap<>();
    ByteBuffer chips = struct(3 * IrqChips.BYTES);
    for (int i = 0; i < 3; i++) {
      chips.putInt(IrqChips.BYTES * i, i);
    }
    chips.put(IrqChips.BYTES + IrqChips.CHIP + 5, (byte) 0x38);
    int ioApic = 2 * IrqChips.BYTES + IrqChips.CHIP;
    chips.putLong(ioApic, 0xfec00000L).putLong(ioApic + IrqChips.REDIRECTIONS + 8 * 23, 0x10023);
    groups.put("irqchip", bytes(chips));
    groups.put("pit", bytes(struct(Pit.BYTES).putInt(48, 65536).putInt(Pit.FLAGS, 2)));
    ByteBuffer clock = struct(Clock.BYTES).putLong(0, 77).putInt(Clock.FLAGS, 12);
    groups.put("clock", bytes(clock.putLong(Clock.REALTIME, 5).putLong(Clock.HOST_TSC, 99)));
    return groups;
  }

  private static ByteBuffer struct(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static byte[] bytes(ByteBuffer struct) {
    byte[] bytes = new byte[struct.capacity()];
    struct.get(0, bytes);
    return bytes;
  }
}
