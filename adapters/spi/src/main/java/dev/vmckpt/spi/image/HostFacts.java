// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

/**
 * What a restore depends on.
 *
 * @param kernel the release, as {@code uname -r} says
 * @param pageSize bytes, 4096 on x86-64
 * @param xstateFeatures the extended state components the kernel saves (XCR0), as a bit mask
 * @param xstateBytes the size of such a saved state in bytes
 * @param vdsoDigest CRC32C of the kernel's vDSO: a target calls into it at fixed offsets
 * @param vdsoBytes the size of the vDSO with its data pages
 */
public record HostFacts(
    String kernel,
    int pageSize,
    long xstateFeatures,
    int xstateBytes,
    int vdsoDigest,
    long vdsoBytes) {}
