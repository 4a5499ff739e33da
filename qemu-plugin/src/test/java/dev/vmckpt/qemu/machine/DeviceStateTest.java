// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.qemu.machine.MachineImage.RamBlock;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A state is taken apart, changed, and put together as a migration. */
final class DeviceStateTest {
  private static byte[] state(Object... namesAndData) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(HexFormat.of().parseHex("5145564d00000003"));
    for (int i = 0; i < namesAndData.length; i += 2) {
      byte[] name = namesAndData[i].toString().getBytes(StandardCharsets.UTF_8);
      byte[] id = ByteBuffer.allocate(4).putInt(i).array();
      out.write(4);
      out.writeBytes(id);
      out.write(name.length);
      out.writeBytes(name);
      out.writeBytes(ByteBuffer.allocate(8).putInt(0).putInt(12).array());
      out.writeBytes((byte[]) namesAndData[i + 1]);
      out.write(0x7e);
      out.writeBytes(id);
    }
    out.write(0);
    return out.toByteArray();
  }

  private static byte[] cpu(int top, long tsc) {
    ByteBuffer data = ByteBuffer.allocate(1830);
    data.putShort(150, (short) (top << 11));
    for (int i = 0; i < 8; i++) {
      data.putLong(156 + 10 * i, i);
    }
    data.putLong(1157, tsc).putLong(1545, 7);
    return data.array();
  }

  private static byte[] timer(long ticks) {
    return ByteBuffer.allocate(24).putLong(ticks).array();
  }

  @Test
  void sectionsAreFoundByTheirFeet() {
    // The second has what looks like a foot of its own in it, and is not followed by a section.
    byte[] tricky = HexFormat.of().parseHex("7e0000000200017e00000002ff");
    DeviceState parsed = DeviceState.parse(state("a", new byte[3], "b", tricky, "c", new byte[0]));
    assertThat(parsed.sections())
        .extracting(DeviceState.Section::name)
        .containsExactly("a", "b", "c");
    assertThat(parsed.sections().get(1).data().remaining()).isEqualTo(tricky.length + 5);
  }

  @Test
  void aMigrationBeginsWithTheMachineAndTheSizes() {
    byte[] incoming =
        DeviceState.parse(state("a", new byte[3]))
            .incoming("pc", List.of(new RamBlock("r", 8, 16, RemoteAddress.NULL)));
    assertThat(HexFormat.of().formatHex(incoming))
        .startsWith(
            "5145564d00000003"
                + "07000000027063"
                + "017ffffff003"
                + "72616d0000000000000004"
                + "000000000000000c"
                + "01720000000000000008"
                + "0000000000000010"
                + "7e7ffffff0"
                + "04000000000161");
  }

  @Test
  void fromTcgToKvm() {
    DeviceState there =
        Accelerators.translate(
            DeviceState.parse(
                state("timer", timer(77), "cpu", cpu(3, 0), "i8259", new byte[] {(byte) 0x91, 1})),
            "tcg",
            "kvm");
    ByteBuffer cpu = there.sections().get(1).data();
    assertThat(cpu.getLong(1157)).isEqualTo(77);
    assertThat(cpu.getLong(1553)).isEqualTo(7);
    assertThat(cpu.getLong(156)).isEqualTo(3);
    assertThat(cpu.getLong(156 + 70)).isEqualTo(2);
    assertThat(there.sections().get(2).data().get(0)).isEqualTo((byte) 0x90);
  }

  private static byte[] number(int value) {
    return ByteBuffer.allocate(8).putInt(value).array();
  }

  @Test
  void processorsThatSleepOrWaitStayAsTheyAre() {
    byte[] waiting = "\5\011apic_sipi".getBytes(StandardCharsets.US_ASCII);
    DeviceState tcg =
        DeviceState.parse(
            state(
                "cpu_common",
                number(0),
                "cpu",
                cpu(0, 0),
                "apic",
                number(0),
                "cpu_common",
                number(1),
                "cpu",
                cpu(0, 0),
                "apic",
                number(0),
                "cpu_common",
                number(1),
                "cpu",
                cpu(0, 0),
                "apic",
                waiting));
    DeviceState kvm = Accelerators.translate(tcg, "tcg", "kvm");
    assertThat(kvm.named("cpu"))
        .extracting(cpu -> cpu.data().getInt(1153))
        .containsExactly(0, 3, 2);
    DeviceState back = Accelerators.translate(kvm, "kvm", "tcg");
    assertThat(back.named("cpu_common"))
        .extracting(common -> common.data().getInt(0))
        .containsExactly(0, 1, 1);
  }

  @Test
  void anUnknownProcessorGoesToNoOtherAccelerator() {
    DeviceState state = DeviceState.parse(state("cpu", new byte[100]));
    assertThat(Accelerators.obstacles(state, "tcg", "kvm")).hasSize(1);
    assertThat(Accelerators.obstacles(state, "kvm", "kvm")).isEmpty();
  }

  @Test
  void fromKvmToTcg() {
    DeviceState there =
        Accelerators.translate(
            DeviceState.parse(state("timer", timer(1), "cpu", cpu(3, 99), "kvmclock", new byte[8])),
            "kvm",
            "tcg");
    assertThat(there.sections()).hasSize(2);
    assertThat(there.sections().get(0).data().getLong(0)).isEqualTo(99);
    assertThat(there.sections().get(1).data().getLong(156 + 30)).isEqualTo(0);
  }

  @Test
  void damagedStatesAreNamedSo() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    byte[] whole = state("a", new byte[30], "timer", timer(5), "b", new byte[5]);
    for (int i = 0; i < 20_000; i++) {
      byte[] some = java.util.Arrays.copyOf(whole, 1 + random.nextInt(whole.length));
      for (int change = random.nextInt(4); change > 0; change--) {
        some[random.nextInt(some.length)] = (byte) random.nextInt();
      }
      try {
        DeviceState parsed = DeviceState.parse(some);
        Accelerators.translate(parsed, "kvm", "tcg").incoming("pc", List.of());
      } catch (SnapshotException e) {
        assertThat(e.fault()).isEqualTo(SnapshotException.Fault.CORRUPT);
      }
    }
  }

  @Test
  void blocksAreReadFromBothTables() {
    String old =
        "  Block Name    PSize   Offset  Used  Total\r\n  pc.ram    4 KiB  0x0 0x80 0x80\r\n";
    assertThat(RamBlocks.parse(old))
        .containsExactly(new RamBlocks.Line("pc.ram", 0, 0x80, 0x80, 0));
    String young =
        """
          Block Name    PSize   Offset  Used  Total  HVA  RO
          /rom@etc/acpi/tables  4 KiB  0x100 0x20 0x200 0x7f0000001000  rw
        """;
    assertThat(RamBlocks.parse(young))
        .containsExactly(
            new RamBlocks.Line("/rom@etc/acpi/tables", 0x100, 0x20, 0x200, 0x7f0000001000L));
  }
}
