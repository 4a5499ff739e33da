// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Kvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The recorder is killed at random instants: the monitor knows nothing of it. */
class RecorderDeathTest {
  private static final int MILLIS = 1400;
  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void theMonitorOutlivesTheRecorder() throws Exception {
    killed(8);
  }

  @Test
  @Tag("long")
  void theMonitorOutlivesTheRecorderFiftyTimes() throws Exception {
    killed(50);
  }

  private void killed(int rounds) throws Exception {
    long seed = System.nanoTime();
    System.out.println("RecorderDeathTest seed " + seed);
    Random random = new Random(seed);
    Path program = TinyMonitor.build(folder);
    int survived = 0;
    int traced = 0;
    for (int round = 0; round < rounds; round++) {
      Path log = folder.resolve("log" + round);
      TinyMonitor monitor = new TinyMonitor(log);
      try (Recorder recorder =
          Recorder.start(folder, "--quiet", "3600", "--", program.toString(), log.toString())) {
        // Half of them count from the monitor's own beginning: a start of Java takes longer than
        // it.
        if (random.nextBoolean()) {
          awaitStart(monitor);
        }
        LockSupport.parkNanos(random.nextInt(MILLIS) * 1_000_000L + random.nextInt(1_000_000));
        int pid = monitor.pid();
        traced += pid > 0 && Recorder.tracers(pid).stream().anyMatch(each -> each != 0) ? 1 : 0;
        recorder.kill();
        survived += outlived(recorder, monitor, pid) ? 1 : 0;
      }
    }
    System.out.println(
        "of "
            + rounds
            + " recorders "
            + traced
            + " were killed while they traced; "
            + survived
            + " monitors lived on");
    assertThat(survived).isGreaterThan(rounds / 3);
    assertThat(traced).isGreaterThan(rounds / 4);
  }

  private static void awaitStart(TinyMonitor monitor) throws IOException {
    long deadline = System.nanoTime() + 30_000_000_000L;
    while (monitor.pid() == 0 && System.nanoTime() < deadline) {
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Whether there is a monitor, and then it works; if it had begun there must be one. */
  private static boolean outlived(Recorder recorder, TinyMonitor monitor, int seen)
      throws IOException {
    if (seen == 0) {
      // It may have become the monitor in this very moment, and not yet have said a word.
      long deadline = System.nanoTime() + 1_000_000_000L;
      while (monitor.pid() == 0 && isMonitorThere(recorder) && System.nanoTime() < deadline) {
        LockSupport.parkNanos(1_000_000);
      }
      if (monitor.pid() == 0) {
        assertThat(isMonitorThere(recorder)).isFalse();
        return false;
      }
    }
    monitor.assertWorks(3);
    assertThat(Recorder.tracers(monitor.pid())).isNotEmpty().containsOnly(0);
    return true;
  }

  private static boolean isMonitorThere(Recorder recorder) {
    for (int pid : recorder.leftovers()) {
      try {
        List<String> words =
            List.of(Files.readString(Path.of("/proc/" + pid + "/cmdline")).split("\0", -1));
        if (!words.get(0).endsWith("sleep")) {
          return true;
        }
      } catch (IOException gone) {
        // Ended meanwhile.
      }
    }
    return false;
  }
}
