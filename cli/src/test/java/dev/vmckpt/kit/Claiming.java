// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kit;

import dev.vmckpt.spi.ClaimContext;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.Peer;
import java.util.List;
import java.util.Optional;

/** What adapters may use while they claim what is connected to nobody outside. */
public record Claiming(FileCloner cloner, List<DescriptorResource> descriptors)
    implements ClaimContext {
  @Override
  public Optional<Peer> peer(DescriptorResource resource) {
    return Optional.empty();
  }

  @Override
  public boolean guestCanRest() {
    return true;
  }
}
