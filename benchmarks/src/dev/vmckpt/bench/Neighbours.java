// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** What other processes of this machine take of its CPUs, as far as /proc tells. */
final class Neighbours {
  static final String ROW = "neighbours";
  static final String QUANTITY = "percentOfOneCpu";
  private static final long LOOK_MILLIS = 500;
  private static final double QUIET_PERCENT = 15;

  private Neighbours() {}

  /** Waits until they are quiet, or for so many seconds; notes what it was in the end. */
  static void await(int seconds, Samples samples, ProcessHandle... ours) {
    long deadline = System.nanoTime() + seconds * 1_000_000_000L;
    double percent = percent(ours);
    while (percent > QUIET_PERCENT && System.nanoTime() < deadline) {
      percent = percent(ours);
    }
    samples.add(ROW, QUANTITY, percent);
  }

  private static double percent(ProcessHandle... ours) {
    long before = all() - own(ours);
    long begun = System.nanoTime();
    Processes.sleep(LOOK_MILLIS);
    double seconds = (System.nanoTime() - begun) / 1e9;
    // Ticks of 10 ms.
    return Math.max(0, all() - own(ours) - before) / seconds;
  }

  private static long all() {
    String[] words = line(Path.of("/proc/stat")).split(" +");
    long ticks = 0;
    for (int i = 1; i <= 8; i++) {
      boolean idle = i == 4 || i == 5;
      ticks += idle ? 0 : Long.parseLong(words[i]);
    }
    return ticks;
  }

  private static long own(ProcessHandle... ours) {
    long ticks = of(ProcessHandle.current());
    for (ProcessHandle process : ours) {
      ticks += of(process);
    }
    return ticks;
  }

  private static long of(ProcessHandle process) {
    String stat = line(Path.of("/proc/" + process.pid() + "/stat"));
    String[] words = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return Long.parseLong(words[11]) + Long.parseLong(words[12]);
  }

  private static String line(Path file) {
    try {
      return Files.readAllLines(file).get(0);
    } catch (NoSuchFileException e) {
      throw new IllegalStateException(file + ": it ended", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
