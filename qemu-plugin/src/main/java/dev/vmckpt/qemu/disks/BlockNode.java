// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

/**
 * A node of QEMU's block layer, as {@code query-named-block-nodes} tells it.
 *
 * @param name its node name; one that QEMU made up begins with {@code #}
 * @param driver for example {@code qcow2}, or {@code file}
 * @param file what it was opened from: a path as QEMU was given it, or {@code json:} and its
 *     options if no path says it all
 * @param readOnly whether nothing is written to it
 * @param bytes the length of what it shows, a multiple of 512
 */
public record BlockNode(String name, String driver, String file, boolean readOnly, long bytes) {
  /** Whether it stands for a regular file, and nothing of QEMU's block layer lies below it. */
  public boolean isFile() {
    return driver.equals("file");
  }
}
