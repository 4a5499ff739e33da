// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Arrays;

/**
 * The x87, SSE, AVX and further vector registers, as XSAVE lays them out (struct kvm_xsave): 4096
 * bytes, more with AMX, and then only by KVM_GET_XSAVE2. Behind the extended control registers,
 * which say which parts are in use. (KVM_GET_FPU would lose all but x87 and SSE.)
 */
final class Xsave implements StateGroup {
  @Override
  public String name() {
    return "xsave";
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.XSAVE);
  }

  private static int size(Capabilities capabilities) {
    return Math.max(KvmLayout.XSAVE, capabilities.value(KvmCap.XSAVE2));
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    int size = size(capabilities);
    RemoteAddress place = batch.reserve(size);
    long get = capabilities.has(KvmCap.XSAVE2) ? KvmIoctl.GET_XSAVE2 : KvmIoctl.GET_XSAVE;
    batch.call("KVM_GET xsave", fd.toString(), Nr.IOCTL, fd.number(), get, place.value());
    return () -> batch.read(place, size);
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length < KvmLayout.XSAVE) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    // The kernel reads as many bytes as this host's features take.
    byte[] whole = Arrays.copyOf(saved, Math.max(saved.length, size(capabilities)));
    RemoteAddress place = batch.place(whole);
    batch.call(
        "KVM_SET xsave", fd.toString(), Nr.IOCTL, fd.number(), KvmIoctl.SET_XSAVE, place.value());
    return Setting.DONE;
  }
}
