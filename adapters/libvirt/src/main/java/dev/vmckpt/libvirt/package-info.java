// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the process, the monitor and the disks of a libvirt domain.
 *
 * <p>Nothing is carried here yet. What will: {@code libvirt:NAME} as a target, over libvirt-java.
 */
@NullMarked
package dev.vmckpt.libvirt;

import org.jspecify.annotations.NullMarked;
