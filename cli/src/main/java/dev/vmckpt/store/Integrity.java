// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.memory.PagesFile;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.error.SnapshotException.Fault;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ProcessImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;

/** Compares the files of a snapshot with what its manifest says of them. */
final class Integrity {
  private static final int CHUNK = 1 << 20;

  private final PagesCheck pages;

  Integrity(PagesCheck pages) {
    this.pages = pages;
  }

  /**
   * Enough before a restore: every file is there, ours, and as long as it was; one that was written
   * to since (its modification time tells) is read in full.
   */
  void check(Stored snapshot, ProgressListener progress) throws IOException {
    for (Map.Entry<String, FileEntry> file : snapshot.manifest().files().entrySet()) {
      if (modifiedNanos(attributes(snapshot, file)) != file.getValue().modifiedNanos()) {
        checkContent(snapshot, file, progress);
      }
    }
    checkReferences(snapshot);
  }

  /**
   * Reads every file in full. When all are right, those whose modification time had changed, as in
   * a copied store, get it back: from then on they are trusted by {@link #check} again.
   */
  void checkInFull(Stored snapshot, ProgressListener progress) throws IOException {
    for (Path file : Folders.filesBelow(snapshot.folder())) {
      String name = snapshot.folder().relativize(file).toString();
      if (!name.equals(Manifest.FILE) && !snapshot.manifest().files().containsKey(name)) {
        throw new SnapshotException(
            Fault.FOREIGN, file + " is no part of snapshot " + snapshot.title());
      }
    }
    checkReferences(snapshot);
    for (Map.Entry<String, FileEntry> file : snapshot.manifest().files().entrySet()) {
      attributes(snapshot, file);
      checkContent(snapshot, file, progress);
    }
    for (Map.Entry<String, FileEntry> file : snapshot.manifest().files().entrySet()) {
      if (modifiedNanos(attributes(snapshot, file)) != file.getValue().modifiedNanos()) {
        Files.setLastModifiedTime(
            snapshot.folder().resolve(file.getKey()),
            FileTime.from(file.getValue().modifiedNanos(), TimeUnit.NANOSECONDS));
      }
    }
  }

  static long modifiedNanos(BasicFileAttributes attributes) {
    return attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS);
  }

  /** The checksum of a whole file. */
  static int checksum(Path file, ProgressListener progress) throws IOException {
    CRC32C crc = new CRC32C();
    ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      while (channel.read(buffer) >= 0) {
        buffer.flip();
        progress.advance(buffer.remaining());
        crc.update(buffer);
        buffer.clear();
      }
    }
    return (int) crc.getValue();
  }

  private void checkContent(
      Stored snapshot, Map.Entry<String, FileEntry> file, ProgressListener progress)
      throws IOException {
    FileEntry entry = file.getValue();
    // The checksum of a file of pages is that of the table of its extents, which lies beside it.
    if (snapshot.manifest().files().containsKey(file.getKey() + PagesFile.EXTENTS_SUFFIX)) {
      pages.verify(snapshot.folder(), file.getKey(), entry, progress);
      return;
    }
    progress.begin("checking " + file.getKey(), entry.bytes());
    Path path = snapshot.folder().resolve(file.getKey());
    int found = checksum(path, progress);
    if (found != entry.crc32c()) {
      HexFormat hex = HexFormat.of();
      throw new SnapshotException(
          Fault.CORRUPT,
          path
              + " is damaged: its checksum is "
              + hex.toHexDigits(found)
              + " and should be "
              + hex.toHexDigits(entry.crc32c()));
    }
  }

  /** Checks everything about a file but its content. */
  private static BasicFileAttributes attributes(Stored snapshot, Map.Entry<String, FileEntry> file)
      throws IOException {
    Path path = snapshot.folder().resolve(file.getKey()).normalize();
    if (!path.startsWith(snapshot.folder()) || path.equals(snapshot.folder())) {
      throw new SnapshotException(
          Fault.FOREIGN,
          "the manifest of " + snapshot.folder() + " names a file outside of it: " + file.getKey());
    }
    BasicFileAttributes attributes;
    try {
      attributes = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      Ownership.check(path, LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      throw new SnapshotException(
          Fault.MISSING,
          "snapshot " + snapshot.title() + " is not whole: " + path + " is missing",
          e);
    }
    if (!attributes.isRegularFile()) {
      throw new SnapshotException(Fault.FOREIGN, path + " is not a plain file");
    }
    if (attributes.size() != file.getValue().bytes()) {
      throw new SnapshotException(
          Fault.CORRUPT,
          path
              + " is damaged: it is "
              + attributes.size()
              + " bytes long and should be "
              + file.getValue().bytes());
    }
    return attributes;
  }

  private static void checkReferences(Stored snapshot) {
    for (ProcessImage process : snapshot.manifest().processes()) {
      String wanted = process.memory().pagesFile();
      if (!snapshot.manifest().files().containsKey(wanted)) {
        throw new SnapshotException(
            Fault.CORRUPT,
            snapshot.folder().resolve(Manifest.FILE) + " has no checksum for " + wanted);
      }
    }
  }
}
