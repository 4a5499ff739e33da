// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vmckpt.images.Images;
import dev.vmckpt.images.Kvm;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.images.Monitor;
import dev.vmckpt.qemu.Vmckpt.Run;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * KVM monitors whose guests check themselves, saved and brought back by the command line. A monitor
 * ends by itself when its guest's sequence of I/Os has a gap or a repetition.
 */
@Execution(ExecutionMode.CONCURRENT)
class MonitorsTest {
  private static final int PASSES = 5;

  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeEach
  void needsKvm() {
    assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @Test
  void theSmallest() throws Exception {
    generations(Monitor.small(folder), "first", "second");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "2"})
  void theOneThatUsesAllOfKvm(String cpus) throws Exception {
    // What was not recorded is what KVM does not tell: routes and coalesced zones.
    Monitor last =
        generations(
            Monitor.full(folder, "--cpus", cpus, "--routing", "0", "--coalesced", "0"),
            "first",
            "second",
            "third");
    assertThat(last.last("kicks")).isPositive();
  }

  @Test
  void theSmallestThatWasRecorded() throws Exception {
    generations(recorded("small-monitor"), "first", "second");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "2"})
  void theOneThatUsesAllOfKvmAndWasRecorded(String cpus) throws Exception {
    Monitor last = generations(recorded("full-monitor", "--cpus", cpus), "first", "second");
    assertThat(last.last("slow")).isZero();
  }

  @Test
  void whatTheCpusAndClocksOfARestoredMachineAreIsChosen() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Monitor last = Monitor.full(folder, "--cpus", "2", "--routing", "0", "--coalesced", "0");
    try {
      last.awaitPasses(2);
      vmckpt.ok("snapshot", "" + last.pid(), "--name", "base");
      for (String choice : List.of("kvm:cpu=host", "kvm:cpu=mask", "kvm:clock=real")) {
        last.end();
        long mark = Files.size(last.log().path());
        Run run = vmckpt.ok("restore", "base", "--reattach", choice, "--json");
        last = last.as(run.number("pid"));
        awaitLines(last, mark);
        assertThat(last.errors()).as(choice).isEmpty();
      }
      last.end();
      Run refused = vmckpt.fails(2, "restore", "base", "--reattach", "kvm:cpu=other");
      assertThat(refused.err()).contains("kvm:cpu", "mask", "host");
    } finally {
      last.end();
    }
  }

  @Test
  void withoutKvmARestoreSaysWhatIsMissing() throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Monitor monitor = Monitor.small(folder);
    try {
      monitor.awaitPasses(2);
      vmckpt.ok("snapshot", "" + monitor.pid(), "--name", "base");
      monitor.end();
      Vmckpt elsewhere = vmckpt.withoutKvm();
      Run missing = elsewhere.fails(6, "restore", "base");
      assertThat(missing.err()).contains("/dev/kvm");
      assertThat(vmckpt.leftovers()).isEmpty();
      long mark = Files.size(monitor.log().path());
      monitor = monitor.as(vmckpt.ok("restore", "base", "--json").number("pid"));
      awaitLines(monitor, mark);
      assertThat(monitor.errors()).isEmpty();
    } finally {
      monitor.end();
    }
  }

  /** Started by {@code vmckpt run}. */
  private Monitor recorded(String name, String... options) throws Exception {
    Path log = folder.resolve(name + ".log");
    String[] start = {"run", "-d", "--", Images.monitor(name).toString(), "--log", log.toString()};
    String[] all = new String[start.length + options.length];
    System.arraycopy(start, 0, all, 0, start.length);
    System.arraycopy(options, 0, all, start.length, options.length);
    Run run = new Vmckpt(folder).ok(all);
    return Monitor.running(Integer.parseInt(run.out().split("\\s", -1)[0]), log);
  }

  /** Each saved from the one before, which has gone on and was killed. */
  private Monitor generations(Monitor first, String... names) throws Exception {
    Vmckpt vmckpt = new Vmckpt(folder);
    Monitor monitor = first;
    try {
      monitor.awaitPasses(2);
      for (String name : names) {
        long before = monitor.passes();
        vmckpt.ok("snapshot", "" + monitor.pid(), "--name", name);
        long after = monitor.passes();
        Health.awaitUntouched(monitor.pid());
        monitor.awaitPasses(PASSES);
        monitor.end();
        long mark = Files.size(monitor.log().path());
        Run run = vmckpt.ok("restore", name, "--json");
        monitor = monitor.as(run.number("pid"));
        List<String> lines = awaitLines(monitor, mark);
        assertThat(LogFile.number(lines.get(0), "pass")).isBetween(before + 1, after + 1);
        for (int i = 1; i < lines.size(); i++) {
          assertThat(LogFile.number(lines.get(i), "pass"))
              .isEqualTo(LogFile.number(lines.get(i - 1), "pass") + 1);
        }
        Health.awaitUntouched(monitor.pid());
        // From now on the highest number is that of the one which runs.
        monitor.awaitPasses(1);
        assertThat(monitor.errors()).isEmpty();
        assertThat(monitor.alive()).isTrue();
      }
      return monitor;
    } finally {
      monitor.end();
    }
  }

  /** Waits for some passes behind a mark in the log. */
  private static List<String> awaitLines(Monitor monitor, long mark) {
    Beats.monitor(monitor.log().path()).await(monitor.pid(), mark, PASSES);
    return monitor.log().linesFrom(mark, "pass ");
  }
}
