// SPDX-License-Identifier: Apache-2.0
/**
 * What a snapshot keeps of a guest for people: a small picture of its screen, and the last lines of
 * its serial console.
 */
@NullMarked
package dev.vmckpt.qemu.picture;

import org.jspecify.annotations.NullMarked;
