// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;

/**
 * MSR 0x3a (IA32_FEATURE_CONTROL), 8 bytes, where a guest may use virtualization itself: it permits
 * VMXON, so it comes before the nested state, and the other MSRs come behind that.
 */
final class FeatureControl implements StateGroup {
  private static final int INDEX = 0x3a;

  @Override
  public String name() {
    return "feature-control";
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.NESTED_STATE);
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    return Msrs.readOne(batch, fd, INDEX);
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length != Long.BYTES) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    // Whether it took is told by the group of all MSRs, which sets it once more.
    RemoteAddress place = batch.place(Msrs.one(INDEX, Calls.view(saved).getLong(0)));
    batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.SET_MSRS, place.value());
    return Setting.DONE;
  }
}
