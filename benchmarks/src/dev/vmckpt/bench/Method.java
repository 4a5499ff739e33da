// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

/** One way of saving a guest, and of bringing it back. Each round has a fresh guest of its own. */
interface Method {
  String name();

  /** Boots a guest, does it once, adds the measurements, and leaves nothing running. */
  void round(Bench bench, Samples samples);
}
