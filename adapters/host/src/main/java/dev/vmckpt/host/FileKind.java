// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/**
 * One kind of file.
 *
 * @param <S> its record
 */
interface FileKind<S extends FileState> {
  /** Its record. */
  Class<S> stateType();

  /**
   * Whether a file is of this kind; the target runs and is not touched.
   *
   * @param cloner only asked what it can do
   */
  Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner);

  /** Whether what it holds is kept in the snapshot. */
  boolean keepsContent();

  /** Records it; stands in the pause. The copy, if it has one, is made. */
  S record(PlannedFile file, FileState.OpenState open);

  /** What it is, for people; stands in the pause. */
  String summary(S state);

  /** Opens it again in a husk, its position and locks included. */
  RemoteFd reattach(S state, HuskOpener husk);
}
