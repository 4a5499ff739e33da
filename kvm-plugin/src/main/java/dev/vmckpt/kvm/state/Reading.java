// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import org.jspecify.annotations.Nullable;

/** State that a batch reads. */
@FunctionalInterface
public interface Reading {
  /**
   * What was read; the batch must have run.
   *
   * @return null if this machine has none, for example no interrupt controller in the kernel
   */
  byte @Nullable [] bytes();
}
