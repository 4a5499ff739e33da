// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.ReattachContext;
import dev.vmckpt.spi.Reattached;
import dev.vmckpt.spi.Reattachment;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.json.RecordJson;
import dev.vmckpt.spi.remote.RemoteFd;
import org.jspecify.annotations.Nullable;

/** Files in a husk: each is opened again as its kind does it, or as the user wishes. */
final class FilesReattachment implements Reattachment {
  private final ReattachContext context;

  FilesReattachment(ReattachContext context) {
    this.context = context;
  }

  @Override
  public Reattached reattach(Recorded recorded) {
    FileState state =
        RecordJson.fromTree(
                recorded.state(), FileState.State.class, "the record of " + recorded.fd())
            .file();
    HuskOpener husk = new HuskOpener(context, recorded.fd());
    String elsewhere = context.reattach().get(recorded.fd().toString());
    if (elsewhere != null) {
      return new Reattached(openElsewhere(elsewhere, state, recorded, husk));
    }
    for (FileKind<?> kind : FilesAdapter.kinds()) {
      RemoteFd fd = tryReattach(kind, state, husk);
      if (fd != null) {
        return new Reattached(fd);
      }
    }
    throw new IllegalStateException("no kind of file has " + state.getClass());
  }

  private static <S extends FileState> @Nullable RemoteFd tryReattach(
      FileKind<S> kind, FileState state, HuskOpener husk) {
    Class<S> type = kind.stateType();
    return type.isInstance(state) ? kind.reattach(type.cast(state), husk) : null;
  }

  /** Opens what the user put in a file's place; one that is only written goes on at its end. */
  private static RemoteFd openElsewhere(
      String path, FileState state, Recorded recorded, HuskOpener husk) {
    OpenState open = state.open();
    int flags = OpenFlags.again(open.flags());
    RemoteFd fd;
    if (state instanceof FileState.LogFile log) {
      fd = husk.open(path, flags | OpenFlags.CREAT, log.mode());
      husk.seekEnd(fd);
    } else {
      fd = husk.open(path, flags, 0);
      husk.trySeek(fd, open.position());
    }
    husk.note(path, "stands in for: " + recorded.summary());
    return husk.lock(fd, path, open);
  }
}
