// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.slots;

/** What is left to be asked must not be asked while the target runs. */
final class StillnessNeededException extends RuntimeException {
  private static final long serialVersionUID = 1L;
}
