// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.host;

import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.FileCloner;
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
   * would have to wait for, says what must be copied, and gives up if there is no room for it.
   */
  void prepare() {
    if (copies.isEmpty()) {
      return;
    }
    FileCloner cloner = context.cloner();
    Path folder = context.folder().resolve(DiskCopy.FOLDER);
    try {
      makeFolder(folder);
      FileStore store = Files.getFileStore(folder);
      FileId home = FileId.tryOf(folder);
      long toCopy = 0;
      for (DescriptorResource resource : resources) {
        Path source = Path.of(resource.procPath());
        if (cloner.canReflink(source, folder)) {
          flush(source);
          continue;
        }
        long bytes = cloner.dataBytes(source);
        toCopy += bytes;
        boolean same = home != null && home.device() == resource.stat().device();
        context.announce(
            "disk "
                + resource.link()
                + ": "
                + ByteText.of(bytes)
                + " will be copied inside the pause: "
                + (same
                    ? store.type() + " cannot share blocks"
                    : "the snapshot lies on another file system"));
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

  /** The data that lies in the snapshot's folder, without holes. */
  long bytes() {
    long bytes = 0;
    for (DiskCopy copy : copies) {
      bytes += context.cloner().dataBytes(copy.to());
    }
    return bytes;
  }
}
