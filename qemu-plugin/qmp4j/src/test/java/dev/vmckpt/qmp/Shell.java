// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/** Small programs that Java has no call for. */
final class Shell {
  private Shell() {}

  /** Runs a program to its end, which must be a good one. */
  static void run(String... command) {
    try {
      Process process = new ProcessBuilder(command).inheritIO().start();
      int code = process.waitFor();
      if (code != 0) {
        throw new AssertionError(List.of(command) + " ended with " + code);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** Makes a named pipe. */
  static Path pipe(Path path) {
    run("mkfifo", path.toString());
    return path;
  }

  /** Sends a signal, for example {@code STOP}. */
  static void signal(long pid, String name) {
    run("kill", "-" + name, "" + pid);
  }
}
