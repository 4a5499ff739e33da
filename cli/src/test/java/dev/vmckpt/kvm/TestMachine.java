// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Kvm;
import dev.vmckpt.kit.SelfTask;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.image.SlotImage;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A KVM machine in this very process: a vm with memory, in-kernel devices and vcpus. */
public final class TestMachine implements AutoCloseable {
  /** The size of each slot. */
  public static final int SLOT_BYTES = 1 << 20;

  private static final int RUN_BYTES = 3 * 4096;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_SHARED = 1;
  private static final int MAP_FIXED = 0x10;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;

  private final SelfTask task = new SelfTask();
  private final RemoteFd system;
  private final RemoteFd vm;
  private final List<RemoteFd> vcpus = new ArrayList<>();
  private final List<RemoteAddress> runs = new ArrayList<>();
  private final List<SlotImage> slots = new ArrayList<>();

  /**
   * @param vcpuCount how many
   */
  public TestMachine(int vcpuCount) {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
    system = new RemoteFd((int) Calls.check("open", "/dev/kvm", SystemFacts.tryOpen(task)));
    vm = make(system, KvmIoctl.CREATE_VM, 0);
    call(vm, KvmIoctl.CREATE_IRQCHIP, 0);
    struct(vm, KvmIoctl.CREATE_PIT2, new byte[KvmLayout.PIT_CONFIG]);
    addSlot(0, 0, 0);
    addSlot(3, 1, 4L << 20);
    for (int id = 0; id < vcpuCount; id++) {
      RemoteFd vcpu = make(vm, KvmIoctl.CREATE_VCPU, id);
      vcpus.add(vcpu);
      runs.add(map(vcpu, RemoteAddress.NULL));
      struct(vcpu, KvmIoctl.SET_CPUID2, SystemFacts.of(task, system).cpuid());
    }
  }

  /** This process. */
  public SelfTask task() {
    return task;
  }

  /** The descriptor of /dev/kvm. */
  public RemoteFd system() {
    return system;
  }

  /** The descriptor of the vm. */
  public RemoteFd vm() {
    return vm;
  }

  /** The descriptor of a vcpu. */
  public RemoteFd vcpu(int id) {
    return vcpus.get(id);
  }

  /** Where a vcpu's kvm_run lies. */
  public RemoteAddress run(int id) {
    return runs.get(id);
  }

  /** Its memory slots. */
  public List<SlotImage> slots() {
    return slots;
  }

  /** All its descriptors. */
  public List<RemoteFd> descriptors() {
    List<RemoteFd> all = new ArrayList<>(List.of(system, vm));
    all.addAll(vcpus);
    return all;
  }

  private RemoteFd make(RemoteFd on, long request, long argument) {
    return new RemoteFd((int) call(on, request, argument));
  }

  /** Makes an ioctl that must succeed. */
  public long call(RemoteFd fd, long request, long argument) {
    String name = "ioctl 0x" + Long.toHexString(request);
    return task.call(name, fd.toString(), Nr.IOCTL, fd.number(), request, argument);
  }

  /** Makes an ioctl on a structure; what it holds afterwards. */
  public byte[] struct(RemoteFd fd, long request, byte[] argument) {
    var batch = task.batch();
    RemoteAddress place = batch.place(argument);
    call(fd, request, place.value());
    return batch.read(place, argument.length);
  }

  private void addSlot(int id, int flags, long gpa) {
    long hva =
        task.call(
            "mmap",
            "memory",
            Nr.MMAP,
            0,
            SLOT_BYTES,
            PROT_READ_WRITE,
            MAP_PRIVATE_ANONYMOUS,
            -1,
            0);
    byte[] region = new byte[KvmLayout.MEMORY_REGION];
    ByteBuffer view = Calls.view(region);
    view.putInt(0, id).putInt(4, flags).putLong(8, gpa);
    view.putLong(16, SLOT_BYTES).putLong(24, hva);
    struct(vm, KvmIoctl.SET_USER_MEMORY_REGION, region);
    slots.add(
        new SlotImage(
            id, 0, flags, gpa, SLOT_BYTES, new RemoteAddress(hva), Finding.Source.RECORDED));
  }

  /** Maps a vcpu, at an address or anywhere. */
  public RemoteAddress map(RemoteFd vcpu, RemoteAddress at) {
    int flags = MAP_SHARED | (at.value() == 0 ? 0 : MAP_FIXED);
    return new RemoteAddress(
        task.call(
            "mmap",
            vcpu.toString(),
            Nr.MMAP,
            at.value(),
            RUN_BYTES,
            PROT_READ_WRITE,
            flags,
            vcpu.number(),
            0));
  }

  @Override
  public void close() {
    for (RemoteAddress run : runs) {
      task.call("munmap", "a vcpu", Nr.MUNMAP, run.value(), RUN_BYTES);
    }
    for (RemoteFd fd : descriptors()) {
      task.call("close", fd.toString(), Nr.CLOSE, fd.number());
    }
    for (SlotImage slot : slots) {
      task.call("munmap", "memory", Nr.MUNMAP, slot.hva().value(), slot.bytes());
    }
  }
}
