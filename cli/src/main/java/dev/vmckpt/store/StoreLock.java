// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The lock of a whole store, held for moments. Two scopes in one: among the threads of this
 * process, and among processes. It must not be taken again by the thread that has it.
 */
final class StoreLock implements AutoCloseable {
  private static final ReentrantLock THREADS = new ReentrantLock();

  private final FileChannel channel;

  private StoreLock(FileChannel channel) {
    this.channel = channel;
  }

  /** Waits for the lock. */
  static StoreLock take(Path store) throws IOException {
    THREADS.lock();
    try {
      FileChannel channel =
          FileChannel.open(
              store.resolve(".lock"),
              Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
              Folders.AS_FILE);
      try {
        channel.lock();
        return new StoreLock(channel);
      } catch (IOException e) {
        channel.close();
        throw e;
      }
    } catch (IOException e) {
      THREADS.unlock();
      throw e;
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      // The kernel releases the lock with the descriptor, which is gone in any case.
    } finally {
      THREADS.unlock();
    }
  }
}
