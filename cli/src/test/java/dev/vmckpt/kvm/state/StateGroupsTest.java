// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.kvm.TestMachine;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The contract of a group: capture, disturb, restore, equal. */
@Isolated
class StateGroupsTest {
  private static final long SEED = System.nanoTime();

  /** A group and what makes another valid state of it. */
  private record Case(StateGroup group, BiConsumer<ByteBuffer, Random> disturb) {
    @Override
    public String toString() {
      return group.name();
    }
  }

  static List<Case> vcpuGroups() {
    return List.of(
        new Case(
            new Regs(),
            (regs, random) -> {
              for (int at = 0; at < KvmLayout.REGS_RIP; at += Long.BYTES) {
                regs.putLong(at, random.nextLong());
              }
              regs.putLong(KvmLayout.REGS_RIP, random.nextInt(1 << 20));
            }),
        new Case(new Sregs(), StateGroupsTest::controls),
        new Case(new Sregs2(), StateGroupsTest::controls),
        // XCR0: x87, SSE, AVX.
        new Case(new Xcrs(), (xcrs, random) -> xcrs.putLong(16, xcrs.getLong(16) == 7 ? 3 : 7)),
        new Case(
            new Xsave(),
            (xsave, random) -> {
              // The x87 registers have 10 bytes of 16 each, the 16 XMM registers come behind.
              for (int register = 0; register < 8; register++) {
                xsave.putLong(32 + register * 16, random.nextLong());
              }
              for (int at = 160; at < 416; at += Long.BYTES) {
                xsave.putLong(at, random.nextLong());
              }
              // XSTATE_BV: x87 and SSE are in use.
              xsave.putLong(512, xsave.getLong(512) | 3);
            }),
        new Case(
            new Lapic(),
            (lapic, random) -> {
              lapic.putInt(0xf0, 0x1ff); // spurious vector, switched on
              lapic.putInt(0x320, 0x10000 | (32 + random.nextInt(200))); // timer, masked
              lapic.putInt(0x350, 0x10000 | (32 + random.nextInt(200))); // LINT0, masked
            }),
        new Case(
            new DebugRegs(),
            (registers, random) -> {
              for (int at = 0; at < 32; at += Long.BYTES) {
                registers.putLong(at, random.nextInt() & 0x7fffffffL);
              }
            }),
        new Case(new MpState(), (state, random) -> state.putInt(0, 3)),
        // NMIs are masked: one is being handled.
        new Case(new VcpuEvents(), (events, random) -> events.put(14, (byte) 1)),
        new Case(
            new CpuidGroup(),
            // The maker's name: leaf 0 or whichever comes first.
            (cpuid, random) -> cpuid.putInt(8 + 16, random.nextInt())));
  }

  private static void controls(ByteBuffer sregs, Random random) {
    sregs.putLong(24, random.nextInt(1 << 20)); // base of DS
    sregs.putLong(192, random.nextInt(1 << 30)); // base of the GDT
    sregs.putLong(232, random.nextLong()); // CR2
  }

  static List<Case> vmGroups() {
    return List.of(
        new Case(
            new Irqchip(),
            (chips, random) -> {
              chips.put(8 + 2, (byte) random.nextInt(256)); // mask of the first PIC
              chips.putInt(2 * KvmLayout.IRQCHIP + 8 + 8, 0x10); // register select of the I/O APIC
              // The last pin: vector, masked.
              chips.putLong(2 * KvmLayout.IRQCHIP + 8 + 24 + 23 * 8, 0x10000 | 77);
            }),
        new Case(
            new Pit(),
            (pit, random) -> {
              pit.putInt(2 * 24, 1 + random.nextInt(60_000)); // what the speaker counts from
              pit.put(2 * 24 + 13, (byte) 3); // square wave
            }));
  }

  @ParameterizedTest
  @MethodSource("vcpuGroups")
  void vcpuGroupComesBack(Case each) {
    try (TestMachine machine = new TestMachine(1)) {
      comesBack(each, machine, machine.vcpu(0));
    }
  }

  @ParameterizedTest
  @MethodSource("vmGroups")
  void vmGroupComesBack(Case each) {
    try (TestMachine machine = new TestMachine(1)) {
      comesBack(each, machine, machine.vm());
    }
  }

  private static void comesBack(Case each, TestMachine machine, RemoteFd fd) {
    Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
    assumeTrue(each.group().offered(capabilities), "this KVM does not offer " + each);
    byte[] saved = read(each.group(), machine, fd, capabilities);
    byte[] other = saved.clone();
    each.disturb().accept(Calls.view(other), new Random(SEED));
    assertThat(other).isNotEqualTo(saved);
    set(each.group(), machine, fd, other, capabilities);
    assertThat(stable(each, read(each.group(), machine, fd, capabilities)))
        .as("disturbed, seed %d", SEED)
        .isEqualTo(stable(each, other));
    set(each.group(), machine, fd, saved, capabilities);
    assertThat(stable(each, read(each.group(), machine, fd, capabilities)))
        .as("restored, seed %d", SEED)
        .isEqualTo(stable(each, saved));
  }

  /** Without what the kernel sets by the clock: when a count of the PIT was loaded. */
  private static byte[] stable(Case each, byte[] state) {
    byte[] stable = state.clone();
    if (each.group() instanceof Pit) {
      for (int channel = 0; channel < 3; channel++) {
        Calls.view(stable).putLong(channel * 24 + 16, 0);
      }
    }
    return stable;
  }

  private static byte[] read(
      StateGroup group, TestMachine machine, RemoteFd fd, Capabilities capabilities) {
    CallBatch batch = machine.task().batch();
    Reading reading = group.read(batch, fd, capabilities);
    batch.run();
    byte[] state =
        new Readings(batch, Map.of(group.name(), reading)).bytes(machine.task()).get(group.name());
    assertThat(state).as(group.name()).isNotNull();
    return state;
  }

  @Test
  void registersBehindMissingOnesAreReadToo() {
    int missing = 0x12345678;
    int[] mixed = {
      0x174, missing, 0x175, missing + 1, missing + 2, 0x176, 0xc0000082, missing + 3, 0xc0000102
    };
    List<Integer> there = List.of(0x174, 0x175, 0x176, 0xc0000082, 0xc0000102);
    try (TestMachine machine = new TestMachine(1)) {
      Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
      Msrs group = new Msrs(new int[][] {{missing, 0x2ff}, mixed});
      List<Integer> read = MsrIndices.of(read(group, machine, machine.vcpu(0), capabilities));
      assertThat(read).contains(0x2ff).containsAll(there).hasSize(1 + there.size());
    }
  }

  private static void set(
      StateGroup group, TestMachine machine, RemoteFd fd, byte[] state, Capabilities capabilities) {
    CallBatch batch = machine.task().batch();
    Setting setting = group.set(batch, fd, state, capabilities);
    batch.run();
    assertThat(setting.differences()).isEmpty();
  }

  @Test
  void registersComeBackOneByOne() {
    try (TestMachine machine = new TestMachine(1)) {
      Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
      // SYSENTER's three, the system call targets, and an MTRR that KVM does not list.
      int[] indices = {0x174, 0x175, 0x176, 0xc0000082, 0xc0000102, 0x200};
      Msrs group = new Msrs(new int[][] {indices});
      byte[] saved = read(group, machine, machine.vcpu(0), capabilities);
      assertThat(Msrs.count(saved)).isEqualTo(indices.length);
      byte[] other = saved.clone();
      Random random = new Random(SEED);
      for (int i = 0; i < indices.length; i++) {
        long value = indices[i] == 0x200 ? 6 | (long) random.nextInt(1000) << 12 : random.nextInt();
        Calls.view(other).putLong(8 + i * 16 + 8, value & 0x7fffffffL);
      }
      set(group, machine, machine.vcpu(0), other, capabilities);
      assertThat(read(group, machine, machine.vcpu(0), capabilities))
          .as("seed %d", SEED)
          .isEqualTo(other);
      set(group, machine, machine.vcpu(0), saved, capabilities);
      assertThat(read(group, machine, machine.vcpu(0), capabilities)).isEqualTo(saved);
    }
  }

  @Test
  void registerThatIsNotTakenIsNamed() {
    try (TestMachine machine = new TestMachine(1)) {
      Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
      CallBatch batch = machine.task().batch();
      Setting setting =
          new Msrs(new int[0][])
              .set(batch, machine.vcpu(0), Msrs.one(0x12345678, 99), capabilities);
      batch.run();
      assertThat(setting.differences())
          .singleElement()
          .satisfies(
              difference -> {
                assertThat(difference.index()).isEqualTo(0x12345678);
                assertThat(difference.what()).contains("MSR 0x12345678", "0x63");
              });
    }
  }

  @Test
  void machineCheckBanksComeBack() {
    try (TestMachine machine = new TestMachine(2)) {
      Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
      byte[] ten = Calls.struct(Long.BYTES).putLong(0, 10 | 1 << 8).array();
      set(new MceBanks(), machine, machine.vcpu(0), ten, capabilities);
      assertThat(read(new MceBanks(), machine, machine.vcpu(0), capabilities)).isEqualTo(ten);
      assertThat(read(new MceBanks(), machine, machine.vcpu(1), capabilities)).isNotEqualTo(ten);
    }
  }

  @Test
  void wholeVcpuComesBackInAnotherMachine() {
    Map<String, byte[]> saved;
    int[][] msrs = MsrIndices.families(List.of());
    try (TestMachine machine = new TestMachine(1)) {
      Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
      for (Case each : vcpuGroups()) {
        if (each.group().offered(capabilities) && !(each.group() instanceof MpState)) {
          byte[] state = read(each.group(), machine, machine.vcpu(0), capabilities);
          each.disturb().accept(Calls.view(state), new Random(SEED));
          set(each.group(), machine, machine.vcpu(0), state, capabilities);
        }
      }
      saved = readAll(machine, capabilities, msrs);
    }
    try (TestMachine machine = new TestMachine(1)) {
      Capabilities capabilities = Capabilities.of(machine.task(), machine.vm());
      VcpuGroups groups = new VcpuGroups(capabilities, msrs);
      CallBatch batch = machine.task().batch();
      groups.setNature(batch, machine.vcpu(0), saved);
      batch.run();
      batch = machine.task().batch();
      List<Setting> settings = groups.setContents(batch, machine.vcpu(0), saved);
      batch.run();
      settings.forEach(setting -> assertThat(setting.differences()).isEmpty());
      Map<String, byte[]> now = readAll(machine, capabilities, msrs);
      assertThat(now.keySet()).isEqualTo(saved.keySet());
      for (String name : saved.keySet()) {
        assertThat(withoutTime(name, now.getOrDefault(name, new byte[0])))
            .as("%s, seed %d", name, SEED)
            .isEqualTo(withoutTime(name, saved.getOrDefault(name, new byte[0])));
      }
    }
  }

  private static Map<String, byte[]> readAll(
      TestMachine machine, Capabilities capabilities, int[][] msrs) {
    CallBatch batch = machine.task().batch();
    Readings readings = new VcpuGroups(capabilities, msrs).read(batch, machine.vcpu(0));
    batch.run();
    return readings.bytes(machine.task());
  }

  /** Without the time stamp counter, which runs on, and what the local APIC counts by it. */
  private static byte[] withoutTime(String name, byte[] state) {
    byte[] still = state.clone();
    if (name.equals(Msrs.NAME)) {
      for (int i = 0; i < Msrs.count(still); i++) {
        if (Msrs.index(still, i) == MsrIndices.TSC) {
          Calls.view(still).putLong(8 + i * 16 + 8, 0);
        }
      }
    } else if (name.equals(TscOffset.NAME)) {
      return new byte[0];
    } else if (name.equals(VcpuGroups.LAPIC)) {
      Calls.view(still).putInt(0x390, 0);
    }
    return still;
  }
}
