// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A real program that speaks QMP. It has a second monitor on its standard output, whose first
 * answer says that all is set up: nobody has to try again and again.
 */
final class RealServer implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 60;

  private final Process process;

  private RealServer(List<String> command) {
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      try (Writer to = process.outputWriter(StandardCharsets.UTF_8)) {
        to.write("{\"execute\": \"qmp_capabilities\"}\n");
      }
      BufferedReader from = process.inputReader(StandardCharsets.UTF_8);
      String line = from.readLine();
      while (line != null && !line.startsWith("{\"return\"")) {
        line = from.readLine();
      }
      if (line == null) {
        close();
        throw new IllegalStateException("no answer from " + command);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** QEMU with a machine without devices, whose cpu is stopped. */
  static RealServer qemu(String... options) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-machine",
                "isapc",
                "-m",
                "16",
                "-nodefaults",
                "-display",
                "none",
                "-S",
                "-qmp",
                "stdio"));
    command.addAll(Arrays.asList(options));
    return new RealServer(command);
  }

  /** QEMU with a monitor at a UNIX socket. */
  static RealServer at(Path socket) {
    return qemu("-qmp", "unix:" + socket + ",server=on,wait=off");
  }

  /** qemu-storage-daemon. */
  static RealServer storageDaemon(String... options) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "qemu-storage-daemon",
                "--chardev",
                "stdio,id=ready",
                "--monitor",
                "chardev=ready"));
    command.addAll(Arrays.asList(options));
    return new RealServer(command);
  }

  long pid() {
    return process.pid();
  }

  /** Whether nothing has ended it yet. */
  boolean isAlive() {
    return process.isAlive();
  }

  /** Ends it without a word, and waits until it has ended. */
  void kill() {
    process.destroyForcibly();
    awaitEnd();
  }

  /** Waits until it has ended by itself. */
  void awaitEnd() {
    try {
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("process " + process.pid() + " does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  @Override
  public void close() {
    kill();
  }
}
