// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The groups of one kind of descriptor, read and set together. */
final class Groups {
  private final List<StateGroup> offered = new ArrayList<>();
  private final Capabilities capabilities;

  /**
   * @param all in the order in which they are set
   */
  Groups(List<StateGroup> all, Capabilities capabilities) {
    this.capabilities = capabilities;
    for (StateGroup group : all) {
      if (group.offered(capabilities)) {
        offered.add(group);
      }
    }
  }

  /** Adds what reads all of them, in that order. */
  Readings read(CallBatch batch, RemoteFd fd) {
    Map<String, Reading> readings = new LinkedHashMap<>();
    for (StateGroup group : offered) {
      readings.put(group.name(), group.read(batch, fd, capabilities));
    }
    return new Readings(batch, readings);
  }

  /** Adds what sets all that were saved. */
  List<Setting> set(CallBatch batch, RemoteFd fd, Map<String, byte[]> saved) {
    List<Setting> settings = new ArrayList<>();
    for (StateGroup group : offered) {
      byte[] bytes = saved.get(group.name());
      if (bytes != null) {
        settings.add(group.set(batch, fd, bytes, capabilities));
      }
    }
    return settings;
  }
}
