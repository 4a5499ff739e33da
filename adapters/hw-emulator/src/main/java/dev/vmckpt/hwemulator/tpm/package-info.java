// SPDX-License-Identifier: Apache-2.0
/**
 * The TPM that swtpm serves. QEMU has two connections to it: the control channel, which it called
 * by its path, and the data channel, one end of a pair whose other end it sent over the first.
 *
 * <p>What the TPM knows lies in swtpm. It is asked for over QEMU's own control channel while QEMU
 * is frozen, for swtpm talks to one client at a time, and given to whichever swtpm is there when
 * the snapshot is restored.
 */
@NullMarked
package dev.vmckpt.hwemulator.tpm;

import org.jspecify.annotations.NullMarked;
