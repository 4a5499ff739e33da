// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.LogFile;
import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Files that are only written: they go on where they were. Nothing that stands in them is kept,
 * emptied or written over: one that has another length than in the pause goes on at its end.
 */
final class LogFiles implements FileKind<LogFile> {
  @Override
  public Class<LogFile> stateType() {
    return LogFile.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    return resource.stat().isRegular() && resource.info().writeOnly()
        ? Optional.of(Claim.carried("file that is only written; goes on where it was"))
        : Optional.empty();
  }

  @Override
  public boolean keepsContent() {
    return false;
  }

  @Override
  public LogFile record(PlannedFile file, OpenState open) {
    long bytes;
    try {
      bytes = Files.size(file.source());
    } catch (IOException e) {
      throw new TargetGoneException(file.resource().name() + " cannot be looked at any more", e);
    }
    return new LogFile(file.resource().link(), bytes, file.mode(), open);
  }

  @Override
  public String summary(LogFile state) {
    return "write-only file " + state.path();
  }

  @Override
  public RemoteFd reattach(LogFile state, HuskOpener husk) {
    String path = state.path();
    long bytes = tryBytes(Path.of(path));
    int flags = OpenFlags.again(state.open().flags());
    if (bytes < 0) {
      husk.note(path, "was missing and is made again, empty");
      flags |= OpenFlags.CREAT;
    }
    RemoteFd fd = husk.open(path, flags, state.mode());
    if (bytes == state.bytes()) {
      husk.seek(fd, path, state.open().position());
    } else {
      husk.seekEnd(fd);
      if (bytes > state.bytes()) {
        husk.note(path, "has grown since the snapshot and goes on at its end");
      } else if (bytes >= 0) {
        husk.note(path, "is shorter than in the snapshot and goes on at its end");
      }
    }
    return husk.lock(fd, path, state.open());
  }

  /** Its length, -1 if there is none. */
  private static long tryBytes(Path path) {
    try {
      return Files.size(path);
    } catch (IOException e) {
      return -1;
    }
  }
}
