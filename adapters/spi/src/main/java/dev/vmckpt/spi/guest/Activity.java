// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

/** What a processor is doing when it executes nothing, and that it does when it does. */
public enum Activity {
  /** It executes instructions. */
  RUNNING,
  /** It waits for an interrupt (HLT). */
  HALTED,
  /** It was never started: it waits for INIT. */
  UNINITIALIZED,
  /** It has had its INIT and waits for a startup IPI. */
  WAITS_FOR_STARTUP,
  /** It has had its startup IPI and is about to run. */
  STARTING,
  /** It waits in a reset hold (encrypted guests). */
  RESET_HOLD,
  /** Something that x86 does not have a word for. */
  OTHER
}
