// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import dev.vmckpt.spi.Claim;

/**
 * A resource that turned out to be a kernel object.
 *
 * @param object which kind
 * @param claim what it says of it; possibly that this one cannot be carried
 */
public record Recognised(KernelObject<?> object, Claim claim) {}
