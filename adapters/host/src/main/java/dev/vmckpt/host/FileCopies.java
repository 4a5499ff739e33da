// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The copies a snapshot keeps of files: planned and announced before the pause. */
final class FileCopies {
  private final DetachContext context;
  private final List<DiskCopy> copies = new ArrayList<>();
  private final List<DescriptorResource> resources = new ArrayList<>();
  private int next;

  FileCopies(DetachContext context) {
    this.context = context;
  }

  /** Plans the copy of one file. */
  DiskCopy plan(DescriptorResource resource) {
    DiskCopy copy;
    do {
      copy = new DiskCopy(next++, resource.link(), Path.of(resource.procPath()), context.folder());
    } while (Files.exists(copy.to()));
    copies.add(copy);
    resources.add(resource);
    return copy;
  }

  /**
   * Does before the pause whatever can be done then: makes the folder, writes out what a reflink
   * would have to wait for, asks whoever can keep a disk without a pause, says what must be copied,
   * and gives up if there is no room for it.
   */
  void prepare() {
    if (copies.isEmpty()) {
      return;
    }
    Path folder = context.folder().resolve(DiskCopy.FOLDER);
    try {
      makeFolder(folder);
      FileStore store = Files.getFileStore(folder);
      FileId home = FileId.tryOf(folder);
      long toCopy = 0;
      for (int i = 0; i < copies.size(); i++) {
        Path source = Path.of(resources.get(i).procPath());
        if (context.cloner().canReflink(source, folder)) {
          flush(source);
          continue;
        }
        long bytes = context.cloner().dataBytes(source);
        toCopy += bytes;
        announce(copies.get(i), resources.get(i), bytes, store, home);
      }
      if (toCopy > store.getUsableSpace()) {
        throw new FailureException(
            "there is no room for the disks in "
                + folder
                + ": "
                + ByteText.of(toCopy)
                + " are needed, "
                + ByteText.of(store.getUsableSpace())
                + " are free; make room, or use another store (--store DIR)");
      }
    } catch (IOException e) {
      throw new FailureException("The copies of disks cannot be prepared in " + folder, e);
    }
  }

  /** Finds who copies a file that cannot be shared, and says so. */
  private void announce(
      DiskCopy copy,
      DescriptorResource resource,
      long bytes,
      FileStore store,
      @Nullable FileId home) {
    String disk = "disk " + resource.link() + ": " + ByteText.of(bytes);
    String reason =
        home != null && home.device() == resource.stat().device()
            ? store.type() + " cannot share blocks"
            : "the snapshot lies on another file system";
    for (DiskKeeper keeper : context.keepers()) {
      if (!keeper.keeps(resource.stat())) {
        continue;
      }
      try {
        copy.isKeptBy(keeper.keep(resource.stat(), copy.to()));
        context.announce(disk + " will be copied by the target itself, while it runs");
        return;
      } catch (FailureException e) {
        reason += "; " + e.getMessage();
      }
    }
    context.announce(disk + " will be copied inside the pause: " + reason);
  }

  private static void makeFolder(Path folder) throws IOException {
    try {
      Files.createDirectory(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (FileAlreadyExistsException e) {
      // Another adapter's disks lie there; numbers are looked for around them.
    }
  }

  /** A reflink waits until every dirty page is written: most are then. */
  private static void flush(Path source) {
    try (FileChannel channel = FileChannel.open(source, StandardOpenOption.READ)) {
      channel.force(false);
    } catch (IOException e) {
      // It is only sooner; whatever is wrong with the file shows when it is copied.
    }
  }

  /**
   * Waits until every copy is whole.
   *
   * @throws FailureException if one could not be made; the others are waited for all the same
   */
  void await() {
    FailureException failure = null;
    for (DiskCopy copy : copies) {
      try {
        copy.await();
      } catch (FailureException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** The data that lies in the snapshot's folder, without holes. */
  long bytes() {
    long bytes = 0;
    for (DiskCopy copy : copies) {
      bytes += context.cloner().dataBytes(copy.to());
    }
    return bytes;
  }
}
