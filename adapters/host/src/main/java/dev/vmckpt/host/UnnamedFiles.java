// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.host.FileState.UnnamedFile;
import dev.vmckpt.spi.Claim;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Files without a name: deleted while they are open, made without one (O_TMPFILE), or with a name
 * that leads elsewhere by now. Nobody else can have kept what they hold: the snapshot does, however
 * they are open. They come back without a name.
 */
final class UnnamedFiles implements FileKind<UnnamedFile> {
  /** What the kernel puts behind the last name of a deleted file. */
  static final String SUFFIX = " (deleted)";

  @Override
  public Class<UnnamedFile> stateType() {
    return UnnamedFile.class;
  }

  @Override
  public Optional<Claim> recognise(DescriptorResource resource, FileCloner cloner) {
    if (!resource.stat().isRegular() || FileId.of(resource.stat()).isNamed(resource.link())) {
      return Optional.empty();
    }
    return Optional.of(KeptContent.claim("file without a name", "without one", resource, cloner));
  }

  @Override
  public boolean keepsContent() {
    return true;
  }

  @Override
  public UnnamedFile record(PlannedFile file, OpenState open) {
    DiskCopy copy = file.keptCopy();
    return new UnnamedFile(file.resource().link(), copy.name(), file.index(), copy.holders(), open);
  }

  @Override
  public String summary(UnnamedFile state) {
    return "file without a name, once " + state.was();
  }

  @Override
  public RemoteFd reattach(UnnamedFile state, HuskOpener husk) {
    Path own = name(state, husk.context(), state.index());
    try {
      if (!Files.exists(own)) {
        makeNames(state, husk.context());
      }
      RemoteFd fd = husk.open(own.toString(), state.open());
      Files.delete(own);
      return fd;
    } catch (IOException e) {
      throw new FailureException("A copy of " + state.was() + " cannot be made", e);
    }
  }

  /** One name for each description: the last that is opened and removed leaves none. */
  private static void makeNames(UnnamedFile state, ReattachContext context) throws IOException {
    Path first = name(state, context, 0);
    context.cloner().copy(context.snapshot().resolve(state.copy()), first);
    for (int i = 1; i < state.count(); i++) {
      Files.createLink(name(state, context, i), first);
    }
  }

  private static Path name(UnnamedFile state, ReattachContext context, int index) {
    return Path.of(DiskFiles.workingCopy(state.copy(), context) + "." + index);
  }
}
