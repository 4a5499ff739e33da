// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import java.util.List;

/** State that a batch sets. */
@FunctionalInterface
public interface Setting {
  /** For a group whose calls make the batch fail if they do. */
  Setting DONE = List::of;

  /**
   * What is not as it was; the batch must have run.
   *
   * @return empty if all is well
   */
  List<Difference> differences();

  /**
   * A part of the state that this KVM did not take.
   *
   * @param what which one, for people
   * @param index its number within the group
   */
  record Difference(String what, int index) {}
}
