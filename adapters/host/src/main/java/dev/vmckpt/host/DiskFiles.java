// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.DiskFile;
import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.remote.RemoteFd;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Files that are read and written: disks. What they held in the pause is kept in the snapshot. They
 * come back on a working copy of the restore's own, or in place.
 */
final class DiskFiles implements FileKind<DiskFile> {
  @Override
  public Class<DiskFile> stateType() {
    return DiskFile.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    if (!resource.stat().isRegular() || resource.info().readOnly() || resource.info().writeOnly()) {
      return Optional.empty();
    }
    return Optional.of(KeptContent.claim("disk", "on a copy of its own", resource, cloner));
  }

  @Override
  public boolean keepsContent() {
    return true;
  }

  @Override
  public DiskFile record(PlannedFile file, OpenState open) {
    return new DiskFile(
        file.resource().link(),
        file.keptCopy().name(),
        file.mode(),
        file.user(),
        file.group(),
        open);
  }

  @Override
  public String summary(DiskFile state) {
    return "disk " + state.path();
  }

  @Override
  public RemoteFd reattach(DiskFile state, HuskOpener husk) {
    ReattachContext context = husk.context();
    if (context.inPlace()) {
      new InPlaceDisk(state, husk).putBack();
      return husk.open(state.path(), state.open());
    }
    Path working = workingCopy(state.copy(), context);
    if (!Files.exists(working)) {
      context.cloner().copy(context.snapshot().resolve(state.copy()), working);
      husk.note(state.path(), "works on a copy of its own, " + working);
    }
    return husk.open(working.toString(), state.open());
  }

  /** Where the descriptions of one file find the same working copy. */
  static Path workingCopy(String copy, ReattachContext context) {
    return context.work().resolve(copy.substring(copy.lastIndexOf('/') + 1));
  }
}
