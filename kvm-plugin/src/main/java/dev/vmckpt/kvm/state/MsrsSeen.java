// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which model specific registers the vcpus had that were read so far, those of a rehearsal above
 * all. The next vcpu mostly has the same ones; so they can be asked for many at a time, and what
 * none had need not be searched for step by step. It only says in what order to ask: nothing is
 * left out for not having been seen.
 */
public final class MsrsSeen {
  private final Set<Integer> seen = new HashSet<>();

  /** Takes note of what a vcpu had. */
  public void learn(Map<String, byte[]> vcpu) {
    byte[] msrs = vcpu.get(Msrs.NAME);
    if (msrs != null) {
      seen.addAll(MsrIndices.of(msrs));
    }
  }

  /**
   * All registers to read, in the families they are asked for in.
   *
   * @param listed what KVM lists; empty if it could not be asked
   */
  public int[][] families(List<Integer> listed) {
    return seen.isEmpty() ? MsrIndices.families(listed) : MsrIndices.families(listed, seen);
  }
}
