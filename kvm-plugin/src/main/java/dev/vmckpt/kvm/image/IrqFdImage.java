// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.image;

import dev.vmckpt.spi.Finding;

/**
 * An eventfd that raises an interrupt (struct kvm_irqfd).
 *
 * @param fd the eventfd, by its number in the target
 * @param gsi the interrupt
 * @param resampleFd the eventfd that tells its end, or -1
 * @param source how it is known
 */
public record IrqFdImage(int fd, int gsi, int resampleFd, Finding.Source source) {}
