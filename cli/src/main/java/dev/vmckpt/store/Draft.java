// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.image.Manifest;
import dev.vmckpt.spi.image.ManifestFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A snapshot that is being written. Nobody sees it before {@link #commit}; closing it before that
 * removes it.
 */
public final class Draft implements AutoCloseable {
  private final Store store;
  private final String id;
  private final @Nullable String name;
  private final List<String> tags;
  private final Path folder;
  private final Lock lock;
  private boolean committed;

  Draft(Store store, String id, @Nullable String name, List<String> tags, Path folder, Lock lock) {
    this.store = store;
    this.id = id;
    this.name = name;
    this.tags = List.copyOf(tags);
    this.folder = folder;
    this.lock = lock;
  }

  /** The id it will have. */
  public String id() {
    return id;
  }

  /** The folder to write into: absolute, empty at first, mode 0700. */
  public Path folder() {
    return folder;
  }

  /**
   * Makes everything in the folder durable, and then a snapshot of it, in one rename.
   *
   * @param captured what the checkpointer says of it
   * @param tool the version of vmckpt
   */
  public Stored commit(Captured captured, String tool, ProgressListener progress) {
    try {
      Map<String, FileEntry> files = settle(captured.files(), progress);
      Manifest manifest =
          new Manifest(
              id,
              name,
              tags,
              captured.parent(),
              captured.created(),
              tool,
              captured.host(),
              captured.capture(),
              captured.processes(),
              files);
      writeManifest(ManifestFile.encode(manifest));
      for (Path each : Folders.foldersBelow(folder)) {
        Files.setPosixFilePermissions(each, Folders.FOLDER);
        Folders.sync(each);
      }
      Path home = store.folder().resolve(id);
      Files.move(folder, home, StandardCopyOption.ATOMIC_MOVE);
      committed = true;
      Folders.sync(store.folder());
      return new Stored(home, manifest);
    } catch (IOException e) {
      throw StoreErrors.of("cannot write the snapshot to " + store.folder(), e);
    }
  }

  /** Brings every file to the disk, and completes what is known of it. */
  private Map<String, FileEntry> settle(Map<String, FileEntry> known, ProgressListener progress)
      throws IOException {
    List<Path> paths = Folders.filesBelow(folder);
    List<String> names = new ArrayList<>();
    long unread = 0;
    for (Path path : paths) {
      String name = folder.relativize(path).toString();
      names.add(name);
      if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
        throw new FailureException(path + " is not a plain file and cannot be kept in a snapshot");
      }
      unread += known.containsKey(name) ? 0 : Files.size(path);
    }
    if (unread > 0) {
      progress.begin("checksums of disks", unread);
    }
    Map<String, FileEntry> entries = new TreeMap<>();
    for (int i = 0; i < paths.size(); i++) {
      String name = names.get(i);
      FileEntry entry = known.get(name);
      int crc = entry == null ? Integrity.checksum(paths.get(i), progress) : entry.crc32c();
      entries.put(name, settle(paths.get(i), entry, crc));
    }
    for (String name : known.keySet()) {
      if (!entries.containsKey(name)) {
        throw new FailureException(folder.resolve(name) + " was written and is gone");
      }
    }
    return entries;
  }

  private static FileEntry settle(Path path, @Nullable FileEntry known, int crc)
      throws IOException {
    Files.setPosixFilePermissions(path, Folders.FILE);
    Folders.sync(path);
    BasicFileAttributes attributes =
        Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    if (known != null && known.bytes() != attributes.size()) {
      throw new FailureException(
          path
              + " is "
              + attributes.size()
              + " bytes long, and "
              + known.bytes()
              + " were written");
    }
    return new FileEntry(attributes.size(), crc, Integrity.modifiedNanos(attributes));
  }

  private void writeManifest(byte[] bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            folder.resolve(Manifest.FILE),
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            Folders.AS_FILE)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
  }

  /** Removes what was not committed. */
  @Override
  public void close() {
    try {
      if (!committed) {
        Folders.deleteTree(folder);
      }
    } catch (IOException e) {
      // It stays under its temporary name without a lock: the next writer removes it.
    } finally {
      lock.close();
    }
  }
}
