// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Arrays;

/**
 * What the vcpu tells its guest about itself (struct kvm_cpuid2). First of all: it decides which
 * control bits, extended states and MSRs the vcpu has.
 */
final class CpuidGroup implements StateGroup {
  /** KVM_MAX_CPUID_ENTRIES of arch/x86/include/asm/kvm_host.h; with fewer the answer is E2BIG. */
  static final int MAX_ENTRIES = 256;

  @Override
  public String name() {
    return "cpuid";
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return true;
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    byte[] room = new byte[KvmLayout.CPUID_HEADER + MAX_ENTRIES * KvmLayout.CPUID_ENTRY];
    Calls.view(room).putInt(0, MAX_ENTRIES);
    RemoteAddress place = batch.place(room);
    batch.call(
        "KVM_GET cpuid", fd.toString(), Nr.IOCTL, fd.number(), KvmIoctl.GET_CPUID2, place.value());
    return () -> {
      byte[] all = batch.read(place, room.length);
      int entries = Calls.view(all).getInt(0);
      return Arrays.copyOf(all, KvmLayout.CPUID_HEADER + entries * KvmLayout.CPUID_ENTRY);
    };
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    int entries = saved.length < KvmLayout.CPUID_HEADER ? -1 : Calls.view(saved).getInt(0);
    if (entries < 0
        || saved.length != KvmLayout.CPUID_HEADER + (long) entries * KvmLayout.CPUID_ENTRY) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    RemoteAddress place = batch.place(saved);
    batch.call(
        "KVM_SET cpuid", fd.toString(), Nr.IOCTL, fd.number(), KvmIoctl.SET_CPUID2, place.value());
    return Setting.DONE;
  }
}
