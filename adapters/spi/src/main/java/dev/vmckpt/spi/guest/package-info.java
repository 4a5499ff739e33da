// SPDX-License-Identifier: Apache-2.0
/**
 * A guest by itself: what a virtual machine's processors and memory hold, in the words of the
 * processor's manual (Intel SDM, AMD APM) and not in those of whoever ran it. An adapter that
 * carries virtual machines describes them so; whatever looks into a guest, writes it out or moves
 * it to another emulator builds on this and knows no other format.
 *
 * <p>Nothing here is read back at a restore, which has the adapter's own records. A number of 64
 * bits is its signed twin where its highest bit is set.
 */
@NullMarked
package dev.vmckpt.spi.guest;

import org.jspecify.annotations.NullMarked;
