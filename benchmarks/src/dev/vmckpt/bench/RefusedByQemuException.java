// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

/** QEMU cannot do what it was asked for; the message is its own. */
final class RefusedByQemuException extends RuntimeException {
  private static final long serialVersionUID = 1;

  RefusedByQemuException(String message) {
    super(message);
  }
}
