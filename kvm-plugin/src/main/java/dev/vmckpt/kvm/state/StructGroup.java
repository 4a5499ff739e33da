// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.RemoteAddress;
import dev.vmckpt.spi.remote.RemoteFd;

/** A group that is one structure of fixed size, with a GET and a SET for it. */
abstract class StructGroup implements StateGroup {
  private final String name;
  private final int capability;
  private final long get;
  private final long set;
  private final int bytes;

  /**
   * @param capability what tells that it is offered, or {@link Capabilities#ALWAYS}
   * @param get the request that reads it
   * @param set the request that sets it
   * @param bytes the size of the structure
   */
  StructGroup(String name, int capability, long get, long set, int bytes) {
    this.name = name;
    this.capability = capability;
    this.get = get;
    this.set = set;
    this.bytes = bytes;
  }

  @Override
  public final String name() {
    return name;
  }

  @Override
  public boolean offered(Capabilities capabilities) {
    return capabilities.has(capability);
  }

  /** The error that means that this machine has none; 0 if it always has. */
  int missing() {
    return 0;
  }

  @Override
  public final Reading read(CallBatch batch, RemoteFd fd, Capabilities capabilities) {
    RemoteAddress place = batch.reserve(bytes);
    int missing = missing();
    if (missing == 0) {
      batch.call("KVM_GET " + name, fd.toString(), Nr.IOCTL, fd.number(), get, place.value());
      return () -> batch.read(place, bytes);
    }
    int index = batch.tryCall(Nr.IOCTL, fd.number(), get, place.value());
    return () -> {
      long result = batch.result(index);
      if (result == -missing) {
        return null;
      }
      Calls.check("KVM_GET " + name, fd, result);
      return batch.read(place, bytes);
    };
  }

  @Override
  public Setting set(CallBatch batch, RemoteFd fd, byte[] saved, Capabilities capabilities) {
    if (saved.length != bytes) {
      throw Calls.corrupt(name, fd, "has " + saved.length + " bytes, not " + bytes);
    }
    RemoteAddress place = batch.place(saved);
    batch.call("KVM_SET " + name, fd.toString(), Nr.IOCTL, fd.number(), set, place.value());
    return Setting.DONE;
  }
}
