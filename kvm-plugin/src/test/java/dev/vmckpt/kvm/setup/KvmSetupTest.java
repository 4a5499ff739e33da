// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.setup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.kvm.image.IoEventFdImage;
import dev.vmckpt.kvm.image.IrqFdImage;
import dev.vmckpt.kvm.image.SettingsImage;
import dev.vmckpt.kvm.image.SetupImage;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.proc.StartTime;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a monitor does call by call, and what is known afterwards. */
class KvmSetupTest {
  private static final int VM = 9;
  private static final int VCPU = 10;
  private final KvmSetup setup = new KvmSetup();
  private final int pid = (int) ProcessHandle.current().pid();
  private final FakeProcess process = new FakeProcess(pid, setup);

  @AfterEach
  void removeFile() throws IOException {
    for (Path folder : SetupFolder.readable(pid, System.getenv("XDG_RUNTIME_DIR"))) {
      Files.deleteIfExists(folder.resolve(pid + "-" + StartTime.of(pid).orElseThrow() + ".json"));
    }
  }

  private SetupImage.Machine machine() {
    return kept().machine(VM).orElseThrow();
  }

  private SetupImage kept() {
    setup.keep(true);
    return SetupFile.find(pid).orElseThrow();
  }

  private List<String> names() {
    return machine().calls().stream().map(call -> call.on() + " " + call.name()).toList();
  }

  @Test
  void theLastOfSeveralThatReplaceEachOtherIsKept() {
    process.machine(VM, 5);
    process.ioctl(VM, KvmCall.SET_TSS_ADDR, 0xfffbd000L, 0);
    process.ioctl(VM, KvmCall.SET_GSI_ROUTING, 0, new int[] {1, 0, 7});
    process.ioctl(VM, KvmCall.CREATE_IRQCHIP, 0, 0);
    process.ioctl(VM, KvmCall.SET_GSI_ROUTING, 0, new int[] {2, 0, 8});
    process.ioctl(VM, KvmCall.SET_GSI_ROUTING, -22, new int[] {3, 0, 9});

    assertThat(names())
        .containsExactly("vm KVM_SET_TSS_ADDR", "vm KVM_CREATE_IRQCHIP", "vm KVM_SET_GSI_ROUTING");
    SettingsImage.Call routing = machine().calls().get(2);
    assertThat(routing.argument()).hasSize(8 + 2 * 48).startsWith(2, 0, 0, 0, 0, 0, 0, 0, 8);
    assertThat(routing.plain()).isFalse();
    assertThat(machine().calls().get(0).plain()).isTrue();
    assertThat(machine().calls().get(0).argument()).isEqualTo(Arguments.eightBytes(0xfffbd000L));
    assertThat(machine().vmType()).isEqualTo(5);
  }

  @Test
  void capabilitiesAddUp() {
    process.machine(VM, 0);
    process.vcpu(VM, 3, VCPU);
    process.ioctl(VM, KvmCall.ENABLE_CAP, 0, new int[] {143, 0, 1});
    process.ioctl(VM, KvmCall.ENABLE_CAP, 0, new int[] {143, 0, 2});
    process.ioctl(VM, KvmCall.ENABLE_CAP, 0, new int[] {143, 0, 1});
    process.ioctl(VCPU, KvmCall.ENABLE_CAP, 0, new int[] {143, 0, 1});

    assertThat(names())
        .containsExactly("vm KVM_ENABLE_CAP", "vm KVM_ENABLE_CAP", "vcpu:3 KVM_ENABLE_CAP");
  }

  @Test
  void whatIsTakenAwayIsGone() {
    process.machine(VM, 0);
    process.ioctl(VM, KvmCall.SET_USER_MEMORY_REGION, 0, slot(0, 0, 0x1000, 0x7000_0000));
    process.ioctl(VM, KvmCall.SET_USER_MEMORY_REGION, 0, slot(1, 3, 0x2000, 0x7100_0000));
    process.ioctl(VM, KvmCall.SET_USER_MEMORY_REGION, 0, slot(0, 0, 0, 0x7000_0000));
    process.ioctl(VM, KvmCall.SET_USER_MEMORY_REGION, 0, slot(0x10001, 0, 0x3000, 0x7200_0000));
    process.ioctl(VM, KvmCall.IRQFD, 0, new int[] {20, 5, 0, 0, 0, 0, 0, 0});
    process.ioctl(VM, KvmCall.IRQFD, 0, new int[] {21, 6, 2, 22, 0, 0, 0, 0});
    process.ioctl(VM, KvmCall.IRQFD, 0, new int[] {20, 5, 1, 0, 0, 0, 0, 0});
    process.ioctl(VM, KvmCall.IOEVENTFD, 0, ioEventFd(7, 0xc000, 2, 30, 3));
    process.ioctl(VM, KvmCall.IOEVENTFD, 0, ioEventFd(8, 0xc000, 2, 30, 3));
    process.ioctl(VM, KvmCall.IOEVENTFD, 0, ioEventFd(7, 0xc000, 2, 30, 3 | 4));
    process.ioctl(VM, KvmCall.IOEVENTFD, 0, ioEventFd(99, 0xfe000000, 0, 31, 0));
    process.ioctl(VM, KvmCall.REGISTER_COALESCED_MMIO, 0, new int[] {0xa0000, 0, 0x20000, 0});
    process.ioctl(VM, KvmCall.REGISTER_COALESCED_MMIO, 0, new int[] {0x70, 0, 1, 1});
    process.ioctl(VM, KvmCall.UNREGISTER_COALESCED_MMIO, 0, new int[] {0xb0000, 0, 0x10000, 0});
    process.ioctl(VM, KvmCall.HYPERV_EVENTFD, 0, new int[] {1, 40, 0, 0, 0, 0});
    process.ioctl(VM, KvmCall.HYPERV_EVENTFD, 0, new int[] {1, 40, 1, 0, 0, 0});

    SetupImage.Machine machine = machine();
    assertThat(machine.slots()).hasSize(2);
    assertThat(machine.slots().get(0).hva()).isEqualTo(new RemoteAddress(0x7100_0000));
    assertThat(machine.slots().get(0).flags()).isEqualTo(3);
    assertThat(machine.slots().get(1).id()).isEqualTo(1);
    assertThat(machine.slots().get(1).addressSpace()).isEqualTo(1);
    assertThat(machine.irqFds())
        .containsExactly(new IrqFdImage(21, 6, 22, Finding.Source.RECORDED));
    assertThat(machine.ioEventFds())
        .containsExactly(
            new IoEventFdImage(30, 0xc000, 2, 3, 8, Finding.Source.RECORDED),
            new IoEventFdImage(31, 0xfe000000L, 0, 0, 0, Finding.Source.RECORDED));
    assertThat(names()).containsExactly("vm KVM_REGISTER_COALESCED_MMIO");
    assertThat(machine.calls().get(0).argument()[0]).isEqualTo((byte) 0x70);
  }

  @Test
  void howThePitMakesUpForLostTicksIsKept() {
    process.machine(VM, 0);
    process.ioctl(VM, KvmCall.REINJECT_CONTROL, 0, new int[] {0x100, 0, 0, 0, 0, 0, 0, 0});
    process.ioctl(VM, KvmCall.REINJECT_CONTROL, 0, new int[] {1, 0, 0, 0, 0, 0, 0, 0});

    assertThat(names()).containsExactly("vm KVM_REINJECT_CONTROL");
    assertThat(machine().calls().get(0).argument()).hasSize(32).startsWith(1, 0);
    assertThat(machine().calls().get(0).plain()).isFalse();
  }

  private static int[] slot(int slot, int flags, int bytes, int hva) {
    return new int[] {slot, flags, 0, 0, bytes, 0, hva, 0};
  }

  private static int[] ioEventFd(int match, int address, int bytes, int fd, int flags) {
    return new int[] {match, 0, address, 0, bytes, fd, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  }

  @Test
  void bitmapsOfTheMsrFilterAreKeptAndCanBePlaced() {
    process.machine(VM, 0);
    ByteBuffer memory = process.memory;
    memory.putInt(0, 1);
    memory.putInt(8, 2).putInt(12, 70).putInt(16, 0x35).putLong(24, FakeProcess.BASE + 0x1000);
    memory.putInt(32, 1).putInt(36, 64).putInt(40, 0x40).putLong(48, FakeProcess.BASE + 0x2000);
    memory.putLong(0x1000, 0x1111).putLong(0x1008, 0x2222).putLong(0x2000, 0x3333);
    process.call(Nr.IOCTL, 0, VM, KvmCall.X86_SET_MSR_FILTER.request(), FakeProcess.BASE);

    SettingsImage.Call call = machine().calls().get(0);
    assertThat(call.argument()).hasSize(392 + 24);
    ByteBuffer placed =
        ByteBuffer.wrap(Pointers.at(call, new RemoteAddress(0x5000)))
            .order(ByteOrder.LITTLE_ENDIAN);
    assertThat(placed.getLong(24)).isEqualTo(0x5000 + 392);
    assertThat(placed.getLong(392)).isEqualTo(0x1111);
    assertThat(placed.getLong(400)).isEqualTo(0x2222);
    assertThat(placed.getLong(48)).isEqualTo(0x5000 + 408);
    assertThat(placed.getLong(408)).isEqualTo(0x3333);
    // Ranges that are not used point nowhere.
    assertThat(placed.getLong(72)).isZero();
  }

  @Test
  void filesOfAVfioDeviceComeAndGo() {
    process.machine(VM, 0);
    process.files.put(15, "anon_inode:kvm-vfio");
    process.ioctl(VM, KvmCall.CREATE_DEVICE, 0, new int[] {4, 15, 0});
    vfio(1, 50);
    vfio(1, 51);
    vfio(2, 50);

    assertThat(names()).containsExactly("vm KVM_CREATE_DEVICE", "device:15 KVM_SET_DEVICE_ATTR");
    assertThat(machine().calls().get(1).argument()[24]).isEqualTo((byte) 51);
    process.files.remove(15);
    assertThat(names()).isEmpty();
  }

  private void vfio(int attribute, int fd) {
    process.memory.putInt(0x100, fd);
    process.ioctl(
        15,
        KvmCall.SET_DEVICE_ATTR,
        0,
        new int[] {0, 1, attribute, 0, FakeProcess.BASE + 0x100, 0});
  }

  @Test
  void duplicatedDescriptorsAreTheSameMachine() {
    process.machine(VM, 0);
    assertThat(process.call(Nr.FCNTL, 60, VM, 1030, 0)).isTrue();
    assertThat(process.call(Nr.FCNTL, 0, VM, 3, 0)).isFalse();
    process.files.put(60, "anon_inode:kvm-vm");
    process.vcpu(60, 0, VCPU);
    process.ioctl(60, KvmCall.SET_BOOT_CPU_ID, 0, 0);
    process.files.remove(VM);
    // Another file takes the vcpu's number: what is asked of it means nothing.
    assertThat(process.call(Nr.DUP2, VCPU, 1, VCPU, 0)).isTrue();

    SetupImage image = kept();
    assertThat(image.machine(60).orElseThrow().vcpus()).containsExactly(0);
    assertThat(image.machine(60).orElseThrow().calls()).hasSize(1);
    assertThat(image.settled()).isTrue();
  }

  @Test
  void aMachineThatIsClosedIsNotKept() {
    process.machine(VM, 0);
    process.files.remove(VM);
    assertThat(setup.keep(true)).isEmpty();
  }

  @Test
  void settledMeansEveryVcpuRanAndSilence() {
    assertThat(setup.settled(Duration.ZERO)).isFalse();
    process.machine(VM, 0);
    process.vcpu(VM, 0, VCPU);
    process.vcpu(VM, 1, VCPU + 1);
    assertThat(setup.settled(Duration.ZERO)).isFalse();
    assertThat(process.ioctl(VCPU, KvmCall.RUN, 0, 0)).isFalse();
    assertThat(setup.settled(Duration.ZERO)).isTrue();
    process.ioctl(VCPU + 1, KvmCall.RUN, 0, 0);
    assertThat(setup.settled(Duration.ZERO)).isTrue();
    assertThat(setup.settled(Duration.ofHours(1))).isFalse();
    setup.ended(pid);
    assertThat(setup.settled(Duration.ZERO)).isFalse();
  }

  @Test
  void whatWasNotHeardWholeIsNotCalledSettled() {
    process.machine(VM, 0);
    assertThat(kept().settled()).isTrue();
    process.ioctl(77, KvmCall.SET_TSC_KHZ, 1000, 0);
    assertThat(kept().settled()).isFalse();
  }

  @Test
  void anUnreadableArgumentIsNotCalledSettled() {
    process.machine(VM, 0);
    process.call(Nr.IOCTL, 0, VM, KvmCall.ENABLE_CAP.request(), 0x10);
    assertThat(kept().settled()).isFalse();
    assertThat(machine().calls()).isEmpty();
  }

  @Test
  void anIoctlsNumberIsItsLowHalf() {
    assertThat(KvmCall.of(KvmCall.ENABLE_CAP.request() | 0xffffffff00000000L))
        .isEqualTo(KvmCall.ENABLE_CAP);
    assertThat(KvmCall.of(0x5421)).isNull();
    assertThat(KvmCall.of(0xae03)).isNull();
  }
}
