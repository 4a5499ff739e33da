// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.Directory;
import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.remote.RemoteFd;
import java.util.Optional;

/** Directories: opened again where they stand. */
final class Directories implements FileKind<Directory> {
  @Override
  public Class<Directory> stateType() {
    return Directory.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    if (!resource.stat().isDirectory()) {
      return Optional.empty();
    }
    if (!FileId.of(resource.stat()).isNamed(resource.link())) {
      return Optional.of(
          Claim.refused(
              "directory without a name",
              "there is nothing left to open again",
              "leave it out: --drop " + resource.name()));
    }
    return Optional.of(Claim.carried("directory; opened again where it stands"));
  }

  @Override
  public boolean keepsContent() {
    return false;
  }

  @Override
  public Directory record(PlannedFile file, OpenState open) {
    return new Directory(file.resource().link(), open);
  }

  @Override
  public String summary(Directory state) {
    return "directory " + state.path();
  }

  @Override
  public RemoteFd reattach(Directory state, HuskOpener husk) {
    return husk.open(state.path(), state.open());
  }
}
