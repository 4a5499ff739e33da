// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.SyscallException;
import java.nio.file.Path;

/** The claim of a file whose content is kept: it must be one that we can read. */
final class KeptContent {
  private KeptContent() {}

  /**
   * @param what what it is
   * @param comesBack how it comes back
   */
  static Claim claim(
      String what, String comesBack, DescriptorResource resource, FileCloner cloner) {
    try {
      long bytes = cloner.dataBytes(Path.of(resource.procPath()));
      return Claim.carried(
          what
              + " with "
              + ByteText.of(bytes)
              + " of data; kept as it is in the pause, comes back "
              + comesBack);
    } catch (SyscallException e) {
      return Claim.refused(
          what,
          "it must be kept and cannot be read: " + e.getMessage(),
          "run vmckpt as somebody who may read it, or leave it out: --drop " + resource.name());
    }
  }
}
