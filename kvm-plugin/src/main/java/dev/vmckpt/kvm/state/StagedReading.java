// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.remote.CallBatch;

/** State that may take more than one batch: what the next asks for depends on the one before. */
interface StagedReading extends Reading {
  /** Adds what is still to be asked for. */
  void ask(CallBatch batch);

  /**
   * Takes what that batch, which has run, has read.
   *
   * @return whether nothing is left to be asked for: only then {@link #bytes} is whole
   */
  boolean collect(CallBatch batch);
}
