// SPDX-License-Identifier: Apache-2.0
/**
 * Devices of the guest that another process serves by the vhost-user protocol, in the guest's own
 * memory.
 *
 * <p>What such a backend does in that memory nobody can save. But QEMU takes its rings away when
 * the guest is stopped, and gives it everything anew when the guest goes on: features, rings, where
 * they stand, the descriptors that wake either side. In between a backend of a disk knows nothing
 * that QEMU does not, and any other backend of the same disk is as good. Three things are not given
 * anew, and are what is kept here: what was said when the connection was opened, the back channel,
 * and the table of memory where QEMU sends only what changes in it.
 */
@NullMarked
package dev.vmckpt.hwemulator.vhost;

import org.jspecify.annotations.NullMarked;
