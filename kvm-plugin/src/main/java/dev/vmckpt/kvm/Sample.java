// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.state.Calls;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import dev.vmckpt.spi.remote.RemoteTask;
import java.nio.ByteBuffer;

/** A small machine that never runs, for practice: a page of memory and one vcpu. */
final class Sample {
  private static final int PAGE = 4096;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_SHARED = 1;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;

  /** Ten machine check banks and their common control (MCG_CTL_P), as QEMU asks for. */
  private static final byte[] BANKS = {10, 1, 0, 0, 0, 0, 0, 0};

  private Sample() {}

  /** Makes one, and leaves it there; does nothing where there is no KVM. */
  static void make(RemoteTask task) {
    long opened = SystemFacts.tryOpen(task);
    if (opened < 0) {
      return;
    }
    RemoteFd system = new RemoteFd((int) opened);
    RemoteFd vm = make(task, system, "KVM_CREATE_VM", KvmIoctl.CREATE_VM);
    task.call("KVM_CREATE_IRQCHIP", "a sample", Nr.IOCTL, vm.number(), KvmIoctl.CREATE_IRQCHIP, 0);
    long memory =
        task.call(
            "mmap", "a sample", Nr.MMAP, 0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    byte[] region = new byte[KvmLayout.MEMORY_REGION];
    ByteBuffer view = Calls.view(region);
    view.putLong(16, PAGE).putLong(24, memory);
    byte[] pit = new byte[KvmLayout.PIT_CONFIG];
    CallBatch batch = task.batch();
    add(batch, vm, KvmIoctl.CREATE_PIT2, pit);
    add(batch, vm, KvmIoctl.SET_USER_MEMORY_REGION, region);
    batch.run();
    RemoteFd vcpu = make(task, vm, "KVM_CREATE_VCPU", KvmIoctl.CREATE_VCPU);
    byte[] cpuid = SystemFacts.of(task, system).cpuid();
    batch = task.batch();
    add(batch, vcpu, KvmIoctl.SET_CPUID2, cpuid);
    add(batch, vcpu, KvmIoctl.X86_SETUP_MCE, BANKS);
    batch.run();
    long bytes =
        task.call(
            "KVM_GET_VCPU_MMAP_SIZE",
            "a sample",
            Nr.IOCTL,
            system.number(),
            KvmIoctl.GET_VCPU_MMAP_SIZE,
            0);
    task.call("mmap", "a sample", Nr.MMAP, 0, bytes, PROT_READ_WRITE, MAP_SHARED, vcpu.number(), 0);
  }

  private static RemoteFd make(RemoteTask task, RemoteFd on, String name, long request) {
    return new RemoteFd((int) task.call(name, "a sample", Nr.IOCTL, on.number(), request, 0));
  }

  private static void add(CallBatch batch, RemoteFd fd, long request, byte[] argument) {
    RemoteAddress place = batch.place(argument);
    batch.call("ioctl", "a sample", Nr.IOCTL, fd.number(), request, place.value());
  }
}
