// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteFd;

/**
 * The frequency of the guest's time stamp counter, in kHz, 4 bytes. Before the TSC itself, which is
 * reckoned by it.
 */
final class TscKhz implements StateGroup {
  static final String NAME = "tsc-khz";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.GET_TSC_KHZ);
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    int index = batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.GET_TSC_KHZ, 0);
    return () -> {
      long khz = batch.result(index);
      // EIO: the host's counter is not stable, there is no frequency.
      return khz <= 0 ? null : Calls.struct(Integer.BYTES).putInt((int) khz).array();
    };
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length != Integer.BYTES) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    batch.call(
        "KVM_SET " + NAME,
        fd.toString(),
        Nr.IOCTL,
        fd.number(),
        KvmIoctl.SET_TSC_KHZ,
        Calls.view(saved).getInt(0));
    return Setting.DONE;
  }
}
