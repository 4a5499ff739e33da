// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.images.Target;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Snapshots brought back while the original still runs: in a pid namespace, with a log elsewhere.
 */
@Execution(ExecutionMode.CONCURRENT)
class ClonesTest {
  private static final int PASSES = 20;

  @TempDir Path folder = Path.of("/nonexistent");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "epoll",
        "eventfd",
        "memfd",
        "memory",
        "pipes",
        "registers",
        "seccomp",
        "signalfd",
        "signals",
        "sleeper",
        "threads",
        "timerfd",
        "timers"
      })
  void bothGoOn(String program) {
    try (Workshop workshop = new Workshop(folder);
        Target original = Target.start(folder, program)) {
      original.awaitPasses(3);
      Stored saved = workshop.snapshot(original.pid());
      Path log = folder.resolve("clone.log");
      Restored restored = workshop.restore(saved, true, false, Map.of("fd:3", log.toString()));
      assertThat(restored.pid()).isNotEqualTo(original.pid());
      assertThat(restored.innerPid()).isEqualTo(original.pid());
      assertThat(restored.notes()).anyMatch(note -> note.contains("pid namespace"));

      Target clone = original.twin(restored.pid(), log);
      clone.awaitPasses(PASSES);
      original.awaitPasses(PASSES);
      assertThat(clone.errors()).isEmpty();
      assertThat(original.errors()).isEmpty();

      // The clone of a clone: saved in its namespace, brought back into another.
      Stored ofClone = workshop.snapshot(restored.pid());
      clone.awaitPasses(3);
      workshop.end(restored);
      assertThat(clone.alive()).isFalse();
      Restored again = workshop.restore(ofClone);
      assertThat(again.innerPid()).isEqualTo(original.pid());
      Target second = original.twin(again.pid(), log);
      second.awaitPasses(PASSES / 2);
      assertThat(second.errors()).isEmpty();

      workshop.end(again);
      original.awaitPasses(1);
      assertThat(original.errors()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tcplisten", "unixsockets"})
  void anAddressIsThereOnlyOnce(String program) throws IOException {
    String address =
        program.equals("tcplisten")
            ? Integer.toString(Ports.free())
            : folder.resolve("socket").toString();
    try (Workshop workshop = new Workshop(folder);
        Target original = Target.start(folder, program, address)) {
      original.awaitPasses(3);
      Stored saved = workshop.snapshot(original.pid());
      VmckptException refusal =
          catchThrowableOfType(VmckptException.class, () -> workshop.restore(saved));
      assertThat(refusal).hasMessageContaining(address);
      original.awaitPasses(3);
      assertThat(original.errors()).isEmpty();
      original.end();
      workshop.restore(saved);
      original.awaitPasses(3);
      assertThat(original.errors()).isEmpty();
    }
  }
}
