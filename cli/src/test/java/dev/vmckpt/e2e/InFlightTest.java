// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.images.Monitor;
import dev.vmckpt.store.Stored;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Snapshots at random instants of guests that do little but I/O, so that many fall between an exit
 * and its answer. The guest and its monitor count every IN, OUT, read and write on both sides: one
 * that was repeated or lost ends the monitor. The seed is printed; {@code -Dvmckpt.seed=N} uses one
 * again, though no two runs are ever the same.
 */
class InFlightTest {
  /** I/Os a second at which the monitor's time goes by between exits and their answers. */
  private static final String BETWEEN = "4000";

  private static final int MOST_MILLIS = 40;

  @TempDir Path folder = Path.of("/nonexistent");
  private final Random random = new Random(seed());

  private static long seed() {
    long seed = Long.getLong("vmckpt.seed", System.nanoTime() & 0xffffff);
    System.out.println("InFlightTest: -Dvmckpt.seed=" + seed);
    return seed;
  }

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void ofPortIo() throws Exception {
    atRandomInstants(small(), 5, 3);
  }

  @Test
  void ofPortIoThatIsAnsweredLate() throws Exception {
    atRandomInstants(lateSmall(), 5, 3);
  }

  @Test
  void ofMemoryMappedIo() throws Exception {
    atRandomInstants(full(), 5, 3);
  }

  @Test
  @Tag("long")
  void ofPortIoAtTwoHundredInstants() throws Exception {
    atRandomInstants(small(), 100, 10);
    atRandomInstants(lateSmall(), 100, 10);
  }

  @Test
  @Tag("long")
  void ofMemoryMappedIoAtThreeHundredInstants() throws Exception {
    atRandomInstants(full(), 150, 10);
    atRandomInstants(lateFull(), 150, 10);
  }

  private Monitor small() {
    return Monitor.small(folder, "--memory", "4");
  }

  private Monitor lateSmall() {
    return Monitor.small(folder, "--memory", "4", "--rate", BETWEEN);
  }

  private Monitor full() {
    return Monitor.full(
        folder, "--memory", "12", "--cpus", "2", "--routing", "0", "--coalesced", "0");
  }

  private Monitor lateFull() {
    return Monitor.full(
        folder,
        "--memory",
        "12",
        "--cpus",
        "2",
        "--routing",
        "0",
        "--coalesced",
        "0",
        "--rate",
        BETWEEN);
  }

  /**
   * @param restoreEach after how many snapshots the monitor is ended and goes on from the last
   */
  private void atRandomInstants(Monitor first, int instants, int restoreEach) throws Exception {
    Monitor monitor = first;
    int restores = 0;
    try (Workshop workshop = new Workshop(folder)) {
      monitor.awaitPasses(2);
      for (int i = 1; i <= instants; i++) {
        Thread.sleep(random.nextInt(MOST_MILLIS), random.nextInt(1_000_000));
        Stored saved = workshop.snapshot(monitor.pid());
        awaitGood(monitor, Files.size(monitor.log().path()), "after snapshot " + i);
        if (i % restoreEach == 0) {
          monitor.end();
          long mark = Files.size(monitor.log().path());
          Restored restored = workshop.restore(saved);
          monitor = monitor.as(restored.pid());
          awaitGood(monitor, mark, "after a restore from snapshot " + i);
          restores++;
        }
        workshop.store().remove(saved.manifest().id());
      }
    } finally {
      monitor.end();
      Files.deleteIfExists(monitor.log().path());
      System.out.println("InFlightTest: " + instants + " instants, " + restores + " restores");
    }
  }

  /** Waits for two passes behind a mark: one may have been under way, the other was not. */
  private static void awaitGood(Monitor monitor, long mark, String when) throws Exception {
    long deadline = System.nanoTime() + LogFile.PATIENCE.toNanos();
    while (monitor.log().linesFrom(mark, "pass ").size() < 2) {
      assertThat(Detached.alive(monitor.pid())).as("%s: %s", when, monitor.errors()).isTrue();
      assertThat(System.nanoTime()).as("no pass %s", when).isLessThan(deadline);
      Thread.sleep(2);
    }
    assertThat(monitor.errors()).as(when).isEmpty();
  }
}
