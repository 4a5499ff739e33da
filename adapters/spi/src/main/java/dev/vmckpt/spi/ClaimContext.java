// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import java.util.List;
import java.util.Optional;

/** What an adapter may use while it claims. */
public interface ClaimContext {
  /** Copies files; here only asked what it can do. */
  FileCloner cloner();

  /** Everything the target has open. */
  List<DescriptorResource> descriptors();

  /**
   * Who is at the other end of a UNIX socket of the target.
   *
   * @return empty if it is no connection, if its other end is the target's own, or if nobody can be
   *     found there
   */
  Optional<Peer> peer(DescriptorResource resource);

  /**
   * Whether the guest can be brought to rest for the snapshot, see {@link Visit#canRest}; as long
   * as nobody has met the outside that is taken for granted.
   */
  boolean guestCanRest();
}
