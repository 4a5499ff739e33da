// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

/** The target changed its memory slots while they were looked for. */
final class SlotsChangedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param what what gave it away
   */
  SlotsChangedException(String what) {
    super(what);
  }
}
