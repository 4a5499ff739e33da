// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.raw.FileCalls;
import dev.vmckpt.ckpt.raw.OwnFd;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.kit.SelfTask;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.guest.KvmGuestReader;
import dev.vmckpt.kvm.image.KvmImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.VcpuImage;
import dev.vmckpt.kvm.image.VmImage;
import dev.vmckpt.kvm.state.Capabilities;
import dev.vmckpt.kvm.state.MsrIndices;
import dev.vmckpt.kvm.state.Readings;
import dev.vmckpt.kvm.state.VcpuGroups;
import dev.vmckpt.kvm.state.VmGroups;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.guest.Activity;
import dev.vmckpt.spi.guest.ControlRegisters.Paging;
import dev.vmckpt.spi.guest.GuestDevice;
import dev.vmckpt.spi.guest.GuestImage;
import dev.vmckpt.spi.guest.Segment;
import dev.vmckpt.spi.guest.VcpuState;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** A machine of this very process, recorded as a snapshot would, says of itself what was set. */
@Isolated
class GuestReaderTest {
  private static final int SS = 120;

  private final SelfTask task = new SelfTask();
  private OwnFd system = new OwnFd(-1);
  private OwnFd vm = new OwnFd(-1);
  private OwnFd first = new OwnFd(-1);
  private OwnFd second = new OwnFd(-1);

  @BeforeEach
  void make() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    system = FileCalls.open("/dev/kvm", 2, 0);
    vm = new OwnFd(ioctl(system, KvmIoctl.CREATE_VM, 0));
    ioctl(vm, KvmIoctl.CREATE_IRQCHIP, 0);
    place(vm, KvmIoctl.CREATE_PIT2, new byte[KvmLayout.PIT_CONFIG]);
    first = new OwnFd(ioctl(vm, KvmIoctl.CREATE_VCPU, 0));
    second = new OwnFd(ioctl(vm, KvmIoctl.CREATE_VCPU, 1));
    byte[] cpuid = new byte[KvmLayout.CPUID_HEADER + 256 * KvmLayout.CPUID_ENTRY];
    ByteBuffer.wrap(cpuid).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 256);
    byte[] offered = place(system, KvmIoctl.GET_SUPPORTED_CPUID, cpuid);
    place(first, KvmIoctl.SET_CPUID2, offered);
    place(second, KvmIoctl.SET_CPUID2, offered);
  }

  @AfterEach
  void close() {
    second.close();
    first.close();
    vm.close();
    system.close();
  }

  private long ioctl(OwnFd fd, long request, long argument) {
    return task.call(
        "ioctl", "request " + Long.toHexString(request), Nr.IOCTL, fd.number(), request, argument);
  }

  /** Makes an ioctl with a structure, and returns the structure as it is afterwards. */
  private byte[] place(OwnFd fd, long request, byte[] argument) {
    CallBatch batch = task.batch();
    RemoteAddress at = batch.place(argument);
    batch.call(
        "ioctl",
        "request " + Long.toHexString(request),
        Nr.IOCTL,
        fd.number(),
        request,
        at.value());
    batch.run();
    return batch.read(at, argument.length);
  }

  private Recorded recorded(OwnFd fd, KvmImage image) {
    return new Recorded(new RemoteFd(fd.number()), 2, "kvm", RecordJson.toTree(image), 0);
  }

  private KvmImage vcpu(Capabilities capabilities, int id, OwnFd fd) {
    CallBatch batch = task.batch();
    Readings readings =
        new VcpuGroups(capabilities, MsrIndices.families(List.of()))
            .read(batch, new RemoteFd(fd.number()));
    batch.run();
    return KvmImage.of(new VcpuImage(id, readings.bytes(task), new byte[0]));
  }

  private GuestImage read() {
    Capabilities capabilities = Capabilities.of(task, new RemoteFd(vm.number()));
    CallBatch batch = task.batch();
    Readings readings = new VmGroups(capabilities).read(batch, new RemoteFd(vm.number()));
    batch.run();
    VmImage image =
        new VmImage(
            readings.bytes(task),
            List.of(),
            List.of(),
            List.of(),
            new SettingsImage(Finding.Source.ASSUMED, 0, List.of()),
            1,
            0);
    return new KvmGuestReader()
        .read(
            List.of(
                recorded(vm, KvmImage.of(image)),
                recorded(first, vcpu(capabilities, 0, first)),
                recorded(second, vcpu(capabilities, 1, second))))
        .orElseThrow();
  }

  @Test
  void aMachineThatHasNotBegunIsAsAfterAReset() {
    GuestImage guest = read();
    VcpuState vcpu = guest.vcpus().get(0);
    assertThat(vcpu.activity()).isEqualTo(Activity.RUNNING);
    assertThat(guest.vcpus().get(1).activity()).isEqualTo(Activity.UNINITIALIZED);
    assertThat(vcpu.mode()).isEqualTo(VcpuState.Mode.REAL);
    assertThat(vcpu.registers().rip()).isEqualTo(0xfff0);
    assertThat(vcpu.registers().rflags()).isEqualTo(2);
    assertThat(vcpu.segments().cs().selector()).isEqualTo(0xf000);
    assertThat(vcpu.segments().cs().base()).isEqualTo(0xffff0000L);
    assertThat(vcpu.control().cr0()).isEqualTo(0x60000010);
    assertThat(vcpu.control().paging()).isEqualTo(Paging.NONE);
    assertThat(vcpu.apicBase() & ~0x100L).isEqualTo(0xfee00800L);
    assertThat(guest.vcpus().get(1).apicBase()).isEqualTo(0xfee00800L);
    assertThat(Objects.requireNonNull(vcpu.localApic())).hasSize(1024);
    // The ID register of the second, in its page: the APIC id in the uppermost byte.
    assertThat(Objects.requireNonNull(guest.vcpus().get(1).localApic())[0x23]).isEqualTo((byte) 1);
    assertThat(vcpu.control().xcr0()).isEqualTo(1);
    byte[] xsave = Objects.requireNonNull(vcpu.xsave());
    assertThat(xsave.length).isGreaterThanOrEqualTo(4096);
    assertThat(xsave[0]).isEqualTo((byte) 0x7f);
    assertThat(xsave[1]).isEqualTo((byte) 3);
    assertThat(vcpu.cpuid()).anyMatch(leaf -> leaf.function() == 0xd && leaf.index() == 2);
    // The default type of memory, by the MTRR that says so.
    assertThat(vcpu.msrs()).extracting(msr -> msr.index()).contains(0x2ffL, 0xc0000080L, 0x10L);
    assertThat(vcpu.tscKhz()).isPositive();
    assertThat(Objects.requireNonNull(vcpu.events()).nmiPending()).isFalse();
    assertThat(Objects.requireNonNull(vcpu.debug()).dr6()).isEqualTo(0xffff0ff0L);
    assertThat(vcpu.debug().dr7()).isEqualTo(0x400);
    assertThat(guest.devices()).hasSize(4);
    assertThat(guest.devices().get(2))
        .isInstanceOfSatisfying(
            GuestDevice.IoApic.class, ioApic -> assertThat(ioApic.gpa()).isEqualTo(0xfec00000L));
    assertThat(guest.clock().guestNanos()).isNotNegative();
  }

  @Test
  void whatIsSetIsWhatIsRead() {
    ByteBuffer regs = ByteBuffer.allocate(KvmLayout.REGS).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 17; i++) {
      regs.putLong(8 * i, 0x1111111111111100L + i);
    }
    regs.putLong(128, 0xffffffff81000000L).putLong(136, 0x46);
    place(first, KvmIoctl.SET_REGS, bytes(regs));

    byte[] got = place(first, KvmIoctl.GET_SREGS, new byte[KvmLayout.SREGS]);
    ByteBuffer sregs = ByteBuffer.wrap(got).order(ByteOrder.LITTLE_ENDIAN);
    segment(sregs, 0, 0x33, 11, 3);
    sregs.put(18, (byte) 1).put(19, (byte) 1);
    segment(sregs, SS, 0x2b, 3, 3);
    sregs.put(SS + 17, (byte) 1).put(SS + 18, (byte) 1);
    sregs.putLong(96, 0xffff888000123000L);
    sregs.putLong(192, 0xfffffe0000001000L).putShort(200, (short) 0x7f);
    sregs.putLong(208, 0xfffffe0000000000L).putShort(216, (short) 0xfff);
    sregs.putLong(224, 0x80050033L).putLong(232, 0x7ffd0000L).putLong(240, 0x123000);
    sregs.putLong(248, 0x6f0).putLong(256, 5).putLong(264, 0xd01);
    place(first, KvmIoctl.SET_SREGS, got);

    VcpuState vcpu = read().vcpus().get(0);
    assertThat(vcpu.registers().rax()).isEqualTo(0x1111111111111100L);
    assertThat(vcpu.registers().rsi()).isEqualTo(0x1111111111111104L);
    assertThat(vcpu.registers().rsp()).isEqualTo(0x1111111111111106L);
    assertThat(vcpu.registers().r8()).isEqualTo(0x1111111111111108L);
    assertThat(vcpu.registers().r15()).isEqualTo(0x111111111111110fL);
    assertThat(vcpu.registers().rip()).isEqualTo(0xffffffff81000000L);
    assertThat(vcpu.registers().rflags()).isEqualTo(0x46);
    assertThat(vcpu.mode()).isEqualTo(VcpuState.Mode.LONG);
    assertThat(vcpu.ring()).isEqualTo(3);
    assertThat(vcpu.control().paging()).isEqualTo(Paging.FOUR_LEVEL);
    assertThat(vcpu.control().cr2()).isEqualTo(0x7ffd0000L);
    assertThat(vcpu.control().cr3()).isEqualTo(0x123000);
    assertThat(vcpu.control().cr8()).isEqualTo(5);
    assertThat(vcpu.segments().gs().base()).isEqualTo(0xffff888000123000L);
    assertThat(vcpu.gdt().base()).isEqualTo(0xfffffe0000001000L);
    assertThat(vcpu.idt().limit()).isEqualTo(0xfff);
    assertThat(vcpu.segments().ss())
        .isEqualTo(new Segment(0x2b, 0, -1, 3, true, 3, true, false, false, true, true, false));
    assertThat(vcpu.segments().cs())
        .isEqualTo(new Segment(0x33, 0, -1, 11, true, 3, true, false, true, false, true, false));
  }

  private static void segment(ByteBuffer sregs, int at, int selector, int type, int dpl) {
    sregs.putLong(at, 0).putInt(at + 8, -1).putShort(at + 12, (short) selector);
    sregs.put(at + 14, (byte) type).put(at + 15, (byte) 1).put(at + 16, (byte) dpl);
    sregs.put(at + 17, (byte) 0).put(at + 20, (byte) 1).put(at + 21, (byte) 0);
    sregs.put(at + 22, (byte) 0);
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.capacity()];
    buffer.get(0, bytes);
    return bytes;
  }
}
