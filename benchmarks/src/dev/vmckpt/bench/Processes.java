// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Starts programs, and ends what was started, at the latest when the benchmark ends. */
final class Processes {
  private static final File NOTHING = new File("/dev/null");
  private static final Set<ProcessHandle> OURS = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> OURS.forEach(ProcessHandle::destroyForcibly)));
  }

  private Processes() {}

  /** What a program that ended said on its standard output. */
  record Ended(int status, String output, String errors) {}

  static Ended run(List<String> command) {
    try {
      File errors = File.createTempFile("vmckpt-bench", ".err");
      try {
        Process process =
            new ProcessBuilder(command).redirectInput(NOTHING).redirectError(errors).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        return new Ended(status, output, Files.readString(errors.toPath()));
      } finally {
        errors.delete();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  static String output(String... command) {
    Ended ended = run(List.of(command));
    if (ended.status() != 0) {
      throw new IllegalStateException(
          String.join(" ", command) + ": status " + ended.status() + ": " + ended.errors());
    }
    return ended.output().strip();
  }

  /** One that runs on, without any of our descriptors. */
  static ProcessHandle start(List<String> command, File log) {
    try {
      return adopt(
          new ProcessBuilder(command)
              .redirectInput(NOTHING)
              .redirectOutput(log)
              .redirectErrorStream(true)
              .start()
              .toHandle());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One that somebody else started for us. */
  static ProcessHandle adopt(ProcessHandle process) {
    OURS.add(process);
    return process;
  }

  /** Returns when even the zombie is gone: its number is free. */
  static void end(ProcessHandle process) {
    process.destroyForcibly();
    while (Files.exists(Path.of("/proc/" + process.pid()))) {
      sleep(2);
    }
    OURS.remove(process);
  }

  static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
