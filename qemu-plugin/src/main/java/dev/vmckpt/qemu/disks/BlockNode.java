// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import java.util.Set;

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
  /** Drivers that keep what is written in a file or a device of the host. */
  public static final Set<String> OF_HOST = Set.of("file", "host_device", "host_cdrom");

  /** Whether it stands for a regular file, and nothing of QEMU's block layer lies below it. */
  boolean isFile() {
    return driver.equals("file");
  }
}
