// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.kvm.api.KvmIoctl;
import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;

/**
 * How far the guest's time stamp counter is from the host's, 8 bytes (Documentation/virt/kvm/
 * devices/vcpu.rst, KVM_VCPU_TSC_OFFSET). It says how the vcpus' counters stand to each other to
 * the cycle. {@link TimeRule} reckons what it must be on this host.
 */
final class TscOffset implements StateGroup {
  static final String NAME = "tsc-offset";

  /** KVM_VCPU_TSC_CTRL and its attribute KVM_VCPU_TSC_OFFSET are both 0, like the flags. */
  private static byte[] attribute(RemoteAddress value) {
    return Calls.struct(KvmLayout.DEVICE_ATTR)
        .putLong(KvmLayout.DEVICE_ATTR_ADDR, value.value())
        .array();
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(KvmCap.VCPU_ATTRIBUTES);
  }

  @Override
  public Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    RemoteAddress value = batch.reserve(Long.BYTES);
    RemoteAddress attribute = batch.place(attribute(value));
    int index = batch.tryCall(Nr.IOCTL, fd.number(), KvmIoctl.GET_DEVICE_ATTR, attribute.value());
    // ENXIO: this KVM has attributes of vcpus, but not this one.
    return () -> batch.result(index) != 0 ? null : batch.read(value, Long.BYTES);
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length != Long.BYTES) {
      throw Calls.corrupt(name(), fd, "has " + saved.length + " bytes");
    }
    RemoteAddress attribute = batch.place(attribute(batch.place(saved)));
    batch.call(
        "KVM_SET tsc-offset",
        fd.toString(),
        Nr.IOCTL,
        fd.number(),
        KvmIoctl.SET_DEVICE_ATTR,
        attribute.value());
    return Setting.DONE;
  }
}
