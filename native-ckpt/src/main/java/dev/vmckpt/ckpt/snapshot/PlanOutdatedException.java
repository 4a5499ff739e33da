// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

/** The target is no longer as it was planned; it is let go, and planned again. */
final class PlanOutdatedException extends RuntimeException {
  PlanOutdatedException(String message) {
    super(message);
  }
}
