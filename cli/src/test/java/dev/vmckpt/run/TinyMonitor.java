// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;

/** A monitor of ours that checks itself without rest: see tiny-monitor.c. */
final class TinyMonitor {
  private static final long PATIENCE_NANOS = 40_000_000_000L;

  private final Path log;

  TinyMonitor(Path log) {
    this.log = log;
  }

  /** Its program, built. */
  static Path build(Path folder) throws IOException, InterruptedException {
    Path source = folder.resolve("tiny-monitor.c");
    try (InputStream in = TinyMonitor.class.getResourceAsStream("tiny-monitor.c")) {
      Files.copy(Objects.requireNonNull(in), source);
    }
    Path program = folder.resolve("tiny-monitor");
    Process gcc =
        new ProcessBuilder("gcc", "-O2", "-Wall", "-o", "" + program, "" + source, "-lpthread")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("gcc").toFile())
            .start();
    assertThat(gcc.waitFor()).as(Files.readString(folder.resolve("gcc"))).isZero();
    return program;
  }

  private List<String> lines() throws IOException {
    return Files.exists(log) ? Files.readAllLines(log) : List.of();
  }

  /** Its number, or 0 if it has not started. */
  int pid() throws IOException {
    for (String line : lines()) {
      if (line.startsWith("pid ")) {
        return Integer.parseInt(line.substring("pid ".length()));
      }
    }
    return 0;
  }

  private long passes() throws IOException {
    return lines().stream().filter(line -> line.startsWith("pass ")).count();
  }

  /** Waits until it has gone some passes further, none of them wrong. */
  void assertWorks(int more) throws IOException {
    long until = passes() + more;
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (passes() < until) {
      assertThat(Detached.alive(pid())).as("alive: " + lines()).isTrue();
      assertThat(System.nanoTime()).as("stands still: " + lines()).isLessThan(deadline);
      LockSupport.parkNanos(10_000_000);
    }
    assertThat(lines()).allMatch(line -> line.startsWith("pid ") || line.contains(" errors 0 "));
  }
}
