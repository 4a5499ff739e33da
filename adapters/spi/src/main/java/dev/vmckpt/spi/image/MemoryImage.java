// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;

/**
 * An address space.
 *
 * @param pagesFile the path of its pages within the folder of the snapshot
 * @param layout the kernel's idea of it (prctl(2), PR_SET_MM_MAP)
 * @param vdso the start of the kernel's own areas ({@code [vvar]}, {@code [vdso]}); NULL if there
 *     are none
 * @param vdsoEnd the end of the vDSO
 * @param areas all other areas, ascending
 */
public record MemoryImage(
    String pagesFile,
    LayoutImage layout,
    RemoteAddress vdso,
    RemoteAddress vdsoEnd,
    List<AreaImage> areas) {}
