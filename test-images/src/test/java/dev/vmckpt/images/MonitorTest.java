// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Monitors run without error, and tell of every fault they are asked to make. */
class MonitorTest {
  @TempDir Path folder = Path.of("/nonexistent");

  @BeforeEach
  void needsKvm() {
    Assumptions.assumeTrue(Kvm.isUsable(), Kvm.MISSING);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--memory 256", "--rate 4000 --burst 40"})
  void theSmallOneRuns(String options) {
    try (Monitor monitor = Monitor.small(folder, words(options))) {
      monitor.awaitPasses(20);
      assertThat(monitor.errors()).isEmpty();
      assertThat(monitor.alive()).isTrue();
      assertThat(monitor.last("in")).isEqualTo(monitor.last("out"));
      assertThat(monitor.last("chunks")).isEqualTo(32 * monitor.last("pass"));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "--cpus 1",
        "--memory 240",
        "--rate 4000 --burst 20",
        "--routing 0",
        "--coalesced 0",
        "--dirty-log 0"
      })
  void theFullOneRuns(String options) {
    try (Monitor monitor = Monitor.full(folder, words(options))) {
      monitor.awaitPasses(20);
      List<String> parts = new ArrayList<>(List.of("ticks", "apic", "interrupts", "kicks"));
      if (!options.equals("--cpus 1")) {
        parts.addAll(List.of("second", "ipis"));
      }
      for (String part : parts) {
        awaitPositive(monitor, part);
      }
      assertThat(monitor.errors()).isEmpty();
      assertThat(monitor.alive()).isTrue();
      assertThat(monitor.last("coalesced") > 0).isEqualTo(!options.equals("--coalesced 0"));
      assertThat(monitor.last("slow") > 0).isEqualTo(options.equals("--coalesced 0"));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--repeat-in 900, error: IN expected 0x383 got 0x382",
    "--lose-in 900, error: IN expected 0x383 got 0x384",
    "--repeat-out 900, error: OUT expected 0x384 got 0x383",
    "--lose-out 900, error: OUT expected 0x383 got 0x384",
    "--repeat-ins 3, error: INS expected",
    "--flip-bit 3 --memory 4, error: memory expected"
  })
  void theSmallOneTells(String options, String error) {
    try (Monitor monitor = Monitor.small(folder, words(options))) {
      monitor.log().await(monitor.pid(), error);
      assertThat(monitor.errors()).isNotEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--repeat-in 900, error: IN of cpu",
    "--repeat-read 200, error: read of cpu",
    "--repeat-out 900, error: OUT expected",
    "--repeat-write 200, error: write expected",
    "--lose-irq 20, error: interrupts by line expected 0x14 got 0x13",
    "--lose-irq 20, error: interrupts by message expected 0x14 got 0x13",
    "--repeat-irq 20, error: interrupts that were sent expected 0x14 got 0x15",
    "--lose-kick 50, error: kicks by",
    "--lose-coalesced 200, error: coalesced",
    "--flip-bit 3, error: memory of cpu 0 expected",
    "--flip-register 3, error: avx of cpu",
    "--flip-register 3, error: x87 of cpu"
  })
  void theFullOneTells(String options, String error) {
    try (Monitor monitor = Monitor.full(folder, words(options))) {
      monitor.log().await(monitor.pid(), error);
      assertThat(monitor.errors()).isNotEmpty();
    }
  }

  /** A thread may have been given little time in the first passes. */
  private static void awaitPositive(Monitor monitor, String part) {
    for (int more = 0; monitor.last(part) <= 0 && more < 50; more++) {
      monitor.awaitPasses(10);
    }
    assertThat(monitor.last(part)).as(part).isPositive();
  }

  private static String[] words(String options) {
    return options.isEmpty() ? new String[0] : options.split(" ", -1);
  }
}
