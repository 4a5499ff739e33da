// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.host.FileState.ReadOnlyFile;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.FileStat;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Files that are only read: kept by reference, opened again where they stand. */
final class ReadOnlyFiles implements FileKind<ReadOnlyFile> {
  @Override
  public Class<ReadOnlyFile> stateType() {
    return ReadOnlyFile.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    return resource.stat().isRegular() && resource.info().readOnly()
        ? Optional.of(Claim.carried("file that is only read; opened again where it stands"))
        : Optional.empty();
  }

  @Override
  public boolean keepsContent() {
    return false;
  }

  @Override
  public ReadOnlyFile record(PlannedFile file, OpenState open) {
    FileStat stat = file.resource().stat();
    return new ReadOnlyFile(file.resource().link(), stat.bytes(), stat.modifiedNanos(), open);
  }

  @Override
  public String summary(ReadOnlyFile state) {
    return "read-only file " + state.path();
  }

  @Override
  public RemoteFd reattach(ReadOnlyFile state, HuskOpener husk) {
    RemoteFd fd = husk.open(state.path(), state.open());
    if (changed(state)) {
      husk.note(state.path(), "has changed since the snapshot, which refers to it");
    }
    return fd;
  }

  private static boolean changed(ReadOnlyFile state) {
    Path path = Path.of(state.path());
    try {
      return Files.size(path) != state.bytes()
          || Files.getLastModifiedTime(path).to(TimeUnit.NANOSECONDS) != state.modifiedNanos();
    } catch (IOException e) {
      return true; // gone again since it was opened
    }
  }
}
