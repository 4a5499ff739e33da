// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * The interrupt controllers of the vm: two PICs and the I/O APIC, three structures kvm_irqchip one
 * behind the other. When the vcpus exist, whose local APICs the I/O APIC looks up, and before their
 * state. A machine whose monitor has them, or all but the local APICs, has none here.
 */
final class Irqchip implements StateGroup {
  static final String NAME = "irqchip";
  private static final int CHIPS = 3;

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.IRQCHIP);
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    int[] calls = new int[CHIPS];
    RemoteAddress[] places = new RemoteAddress[CHIPS];
    for (int chip = 0; chip < CHIPS; chip++) {
      byte[] argument = new byte[KvmLayout.IRQCHIP];
      Calls.view(argument).putInt(0, chip);
      places[chip] = batch.place(argument);
      calls[chip] =
          batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.GET_IRQCHIP, places[chip].value());
    }
    return () -> {
      ByteArrayOutputStream all = new ByteArrayOutputStream(CHIPS * KvmLayout.IRQCHIP);
      for (int chip = 0; chip < CHIPS; chip++) {
        if (batch.result(calls[chip]) == -Errno.ENXIO) {
          return null;
        }
        Calls.check("KVM_GET irqchip", fd, batch.result(calls[chip]));
        all.writeBytes(batch.read(places[chip], KvmLayout.IRQCHIP));
      }
      return all.toByteArray();
    };
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length != CHIPS * KvmLayout.IRQCHIP) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    for (int chip = 0; chip < CHIPS; chip++) {
      int from = chip * KvmLayout.IRQCHIP;
      RemoteAddress place = batch.place(Arrays.copyOfRange(saved, from, from + KvmLayout.IRQCHIP));
      batch.call(
          "KVM_SET irqchip",
          fd + " chip " + chip,
          Nr.IOCTL,
          fd.number(),
          KvmIoctl.SET_IRQCHIP,
          place.value());
    }
    return Setting.DONE;
  }
}
