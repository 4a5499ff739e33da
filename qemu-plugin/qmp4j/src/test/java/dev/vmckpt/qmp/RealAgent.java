// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    try {
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
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (!isListening()) {
        if (System.nanoTime() > deadline) {
          close();
          throw new AssertionError("qemu-ga does not listen");
        }
        Thread.sleep(5);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** Its path is there before it listens, and a call to look would be the one that it serves. */
  private boolean isListening() throws IOException {
    return Files.readAllLines(Path.of("/proc/net/unix")).stream()
        .anyMatch(line -> line.endsWith(" " + socket) && line.contains(" 00010000 "));
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
