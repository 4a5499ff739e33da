// SPDX-License-Identifier: Apache-2.0
/**
 * Domains of libvirt: finds their process, passes on what is said to their monitor, which libvirt
 * holds, and gives a restored one back to libvirt. The only room that knows libvirt, by
 * libvirt-java; nothing of it is loaded before somebody names a domain.
 */
@NullMarked
package dev.vmckpt.libvirt;

import org.jspecify.annotations.NullMarked;
