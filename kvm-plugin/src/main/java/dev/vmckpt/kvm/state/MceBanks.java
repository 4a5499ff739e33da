// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;

/**
 * How many machine check banks the vcpu has and what they can do: MSR 0x179 (MCG_CAP), 8 bytes. It
 * is given by a call of its own, before the MSRs of the banks, which are not there otherwise.
 */
final class MceBanks implements StateGroup {
  private static final int MCG_CAP = 0x179;
  private static final int COUNT = 0xff;

  @Override
  public String name() {
    return "mce-cap";
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.MCE);
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    return Msrs.readOne(batch, fd, MCG_CAP);
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length != Long.BYTES) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    // A vcpu without banks cannot be asked for.
    if ((Calls.view(saved).getLong(0) & COUNT) != 0) {
      RemoteAddress place = batch.place(saved);
      batch.call(
          "KVM_X86_SETUP_MCE",
          fd.toString(),
          Nr.IOCTL,
          fd.number(),
          KvmIoctl.X86_SETUP_MCE,
          place.value());
    }
    return Setting.DONE;
  }
}
