// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
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

  /** Stops a process, all of whose threads stand still when this returns. */
  static void stop(long pid) {
    run("kill", "-STOP", "" + pid);
    while (!isStopped(pid)) {
      Thread.onSpinWait();
    }
  }

  /** Lets a stopped process go on. */
  static void goOn(long pid) {
    run("kill", "-CONT", "" + pid);
  }

  /** The signal is on its way when it has been sent; a thread on another processor goes on. */
  private static boolean isStopped(long pid) {
    try (DirectoryStream<Path> tasks =
        Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
      for (Path task : tasks) {
        String stat = Files.readString(task.resolve("stat"));
        if (stat.charAt(stat.lastIndexOf(')') + 2) != 'T') {
          return false;
        }
      }
      return true;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
