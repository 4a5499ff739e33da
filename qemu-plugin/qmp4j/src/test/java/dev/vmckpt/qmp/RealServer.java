// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A real program that speaks QMP. It has a second monitor on its standard output, whose greeting
 * says that the other one listens: nobody has to ask again and again.
 */
final class RealServer implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 60;

  private final Process process;

  private RealServer(List<String> command) {
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      BufferedReader words =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      String greeting = words.readLine();
      if (greeting == null || !greeting.startsWith("{")) {
        close();
        throw new IllegalStateException("no greeting but " + greeting + " from " + command);
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
