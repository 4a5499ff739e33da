// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.kvm.api.KvmCap;
import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The state of a vcpu. It is set in two steps: what it is (CPUID, the frequency of its counter, its
 * machine check banks), then what it holds, with the time stamp counter between them, see {@link
 * TimeRule}. Each group tells why it has its place.
 *
 * <p>It is read in another order: KVM takes a pending INIT or SIPI into account when it is asked
 * for the run state, and queues a pending NMI when it is asked for events. Both change registers,
 * so they come before those.
 */
public final class VcpuGroups {
  /** The name of CPUID's group. */
  public static final String CPUID = "cpuid";

  /** The name of the group of the counter's frequency, in kHz. */
  public static final String TSC_KHZ = TscKhz.NAME;

  /** The name of the group of the local APIC. */
  public static final String LAPIC = "lapic";

  /** The name of the group of extended states. */
  public static final String XSAVE = "xsave";

  /** The name of the group of events under way. */
  public static final String EVENTS = "vcpu-events";

  /** The name of the group of a guest's own virtualization. */
  public static final String NESTED = "nested";

  private final Groups read;
  private final Groups nature;
  private final Groups contents;

  /**
   * @param capabilities what this KVM offers
   * @param msrs the MSRs that are read, see {@link MsrIndices}
   */
  public VcpuGroups(Capabilities capabilities, int[][] msrs) {
    List<StateGroup> is = List.of(new CpuidGroup(), new TscKhz(), new MceBanks());
    StateGroup controls = capabilities.has(KvmCap.SREGS2) ? new Sregs2() : new Sregs();
    List<StateGroup> holds =
        List.of(
            controls,
            new FeatureControl(),
            new NestedState(),
            new Regs(),
            new Xcrs(),
            new Xsave(),
            new Lapic(),
            new Msrs(msrs),
            new DebugRegs(),
            new MpState(),
            new VcpuEvents());
    List<StateGroup> reading = new ArrayList<>(List.of(new MpState(), new VcpuEvents()));
    for (StateGroup group : holds) {
      if (!(group instanceof MpState) && !(group instanceof VcpuEvents)) {
        reading.add(group);
      }
    }
    if (controls instanceof Sregs2) {
      // For a restore where Sregs2 is not offered, and for whoever reads a snapshot.
      reading.add(new Sregs());
    }
    reading.addAll(is);
    reading.add(new TscOffset());
    read = new Groups(reading, capabilities);
    nature = new Groups(is, capabilities);
    contents = new Groups(holds, capabilities);
  }

  /** Adds what reads them; waits for KVM_RUN to return, so it belongs into the pause. */
  public Readings read(CallBatch batch, RemoteFd vcpu) {
    return read.read(batch, vcpu);
  }

  /** Adds what makes a new vcpu of the saved one's kind. */
  public void setNature(CallBatch batch, RemoteFd vcpu, Map<String, byte[]> saved) {
    nature.set(batch, vcpu, saved);
  }

  /** Adds what gives it what the saved one held, all but the time stamp counter. */
  public List<Setting> setContents(CallBatch batch, RemoteFd vcpu, Map<String, byte[]> saved) {
    return contents.set(batch, vcpu, saved);
  }
}
