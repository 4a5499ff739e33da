// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.host.FileState.OpenState;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.FdInfo;
import dev.vmckpt.spi.RecordContext;
import dev.vmckpt.spi.Recorded;
import dev.vmckpt.spi.json.RecordJson;
import java.util.ArrayList;
import java.util.List;

/** Files at rest: nothing had to be done to them. */
final class FilesDetachment implements Detachment {
  private final List<PlannedFile> files;
  private final FileCopies copies;

  FilesDetachment(List<PlannedFile> files, FileCopies copies) {
    this.files = files;
    this.copies = copies;
    rehearse();
  }

  /** Loads every class that {@link #record} uses. */
  private void rehearse() {
    List<FdInfo> infos = new ArrayList<>(files.size());
    for (PlannedFile file : files) {
      infos.add(file.resource().info());
    }
    for (int i = 0; i < files.size(); i++) {
      recorded(i, infos, 0);
    }
  }

  @Override
  public List<Recorded> record(RecordContext context) {
    List<FdInfo> infos = new ArrayList<>(files.size());
    for (PlannedFile file : files) {
      infos.add(context.infoNow(file.resource()));
    }
    List<Recorded> all = new ArrayList<>(files.size());
    for (int i = 0; i < files.size(); i++) {
      DiskCopy copy = files.get(i).copy();
      long copied = copy == null ? 0 : copy.make(context.cloner());
      all.add(recorded(i, infos, copied));
    }
    return all;
  }

  private Recorded recorded(int index, List<FdInfo> infos, long copied) {
    PlannedFile file = files.get(index);
    int flags = OpenFlags.recorded(infos.get(index).flags());
    OpenState open =
        new OpenState(
            flags, infos.get(index).position(), ownLocks(index, infos), posixLocks(index, infos));
    return recorded(file, file.kind(), open, copied);
  }

  private static <S extends FileState> Recorded recorded(
      PlannedFile file, FileKind<S> kind, OpenState open, long copied) {
    S state = kind.record(file, open);
    return new Recorded(
        file.resource().fd(),
        open.flags(),
        kind.summary(state),
        RecordJson.toTree(new FileState.State(state)),
        copied);
  }

  private List<FileLock> ownLocks(int index, List<FdInfo> infos) {
    List<FileLock> own = new ArrayList<>();
    for (FileLock lock : FileLock.of(infos.get(index), number(index))) {
      if (lock.owner() != FileLock.Owner.POSIX) {
        own.add(lock);
      }
    }
    return own;
  }

  private List<FileLock> posixLocks(int index, List<FdInfo> infos) {
    FileId file = FileId.of(files.get(index).resource().stat());
    List<FileLock> posix = new ArrayList<>();
    for (int i = 0; i < files.size(); i++) {
      if (FileId.of(files.get(i).resource().stat()).equals(file)) {
        for (FileLock lock : FileLock.of(infos.get(i), number(i))) {
          if (lock.owner() == FileLock.Owner.POSIX) {
            posix.add(lock);
          }
        }
      }
    }
    return posix;
  }

  private int number(int index) {
    return files.get(index).resource().fd().number();
  }

  @Override
  public void resume() {
    // Nothing was brought to rest.
  }

  @Override
  public long finish() {
    copies.await();
    return copies.bytes();
  }
}
