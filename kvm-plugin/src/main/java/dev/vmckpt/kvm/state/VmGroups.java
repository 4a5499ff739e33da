// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.List;
import java.util.Map;

/** The state of a vm. Set when all vcpus have been made, before their own state. */
public final class VmGroups {
  /** The name of the clock's group. */
  public static final String CLOCK = "clock";

  /** The name of the interrupt controllers' group. */
  public static final String IRQCHIP = Irqchip.NAME;

  /** The name of the interval timer's group. */
  public static final String PIT = "pit";

  private final Groups read;
  private final Groups set;

  /**
   * @param capabilities what this KVM offers
   */
  public VmGroups(Capabilities capabilities) {
    read = new Groups(List.of(new Clock(), new Irqchip(), new Pit()), capabilities);
    // The clock has a rule of its own.
    set = new Groups(List.of(new Irqchip(), new Pit()), capabilities);
  }

  /** Adds what reads them; a vm may be asked while it runs. */
  public Readings read(CallBatch batch, RemoteFd vm) {
    return read.read(batch, vm);
  }

  /** Adds what sets those that were saved, except the clock, see {@link TimeRule}. */
  public List<Setting> set(CallBatch batch, RemoteFd vm, Map<String, byte[]> saved) {
    return set.set(batch, vm, saved);
  }
}
