// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A real qemu-ga, which serves this host as if it were a guest: only commands that change nothing
 * are for it.
 */
final class RealAgent implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 60;

  private final Process process;
  private final Path socket;

  /** Starts one that keeps all its files in a folder, and waits until it has its socket. */
  RealAgent(Path folder) {
    socket = folder.resolve("agent");
    try (WatchService watch = folder.getFileSystem().newWatchService()) {
      folder.register(watch, StandardWatchEventKinds.ENTRY_CREATE);
      process =
          new ProcessBuilder(
                  List.of(
                      program(),
                      "-m",
                      "unix-listen",
                      "-p",
                      socket.toString(),
                      "-t",
                      folder.toString(),
                      "-f",
                      folder.resolve("agent.pid").toString()))
              .inheritIO()
              .start();
      while (!Files.exists(socket)) {
        WatchKey key = watch.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (key == null) {
          close();
          throw new AssertionError("qemu-ga makes no socket");
        }
        key.pollEvents();
        key.reset();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** It is in /usr/sbin, which is not in everybody's path. */
  private static String program() {
    Path usual = Path.of("/usr/sbin/qemu-ga");
    return Files.isExecutable(usual) ? usual.toString() : "qemu-ga";
  }

  Path socket() {
    return socket;
  }

  long pid() {
    return process.pid();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("process " + process.pid() + " does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }
}
