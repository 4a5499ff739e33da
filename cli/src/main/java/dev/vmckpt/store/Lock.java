// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A locked file that says "its writer lives" and carries a few words of his. Locks of fcntl(2)
 * belong to a process and are lost when it closes <em>any</em> descriptor of the file: those held
 * here are therefore remembered, and never opened a second time.
 */
final class Lock implements AutoCloseable {
  private static final Map<Path, String> HELD_HERE = new ConcurrentHashMap<>();

  private final Path file;
  private final FileChannel channel;

  private Lock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /** Makes and locks a file that must not exist. Call it under the {@link StoreLock}. */
  static Lock create(Path file, String words) throws IOException {
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.READ),
            Folders.AS_FILE);
    try {
      channel.lock();
      channel.write(ByteBuffer.wrap(words.getBytes(StandardCharsets.UTF_8)));
    } catch (IOException e) {
      channel.close();
      Files.deleteIfExists(file);
      throw e;
    }
    HELD_HERE.put(file, words);
    return new Lock(file, channel);
  }

  /**
   * The words of a living writer; null when there is none, or he is gone. Under the store's lock.
   */
  static @Nullable String wordsOfLiving(Path file) throws IOException {
    String here = HELD_HERE.get(file);
    if (here != null) {
      return here;
    }
    try (FileChannel channel =
            FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock()) {
      return lock == null ? Files.readString(file) : null;
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** Whether somebody holds the lock. */
  static boolean isHeld(Path file) throws IOException {
    return wordsOfLiving(file) != null;
  }

  /** Removes the file and releases the lock. */
  @Override
  public void close() {
    try {
      Files.deleteIfExists(file);
      channel.close();
    } catch (IOException e) {
      // An empty file that nobody holds: the next writer removes it.
    } finally {
      HELD_HERE.remove(file);
    }
  }
}
