// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.LogFile;
import dev.vmckpt.images.Target;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The commands of a user, on a process that runs: what they print and what they end with. */
class RoundTripTest extends InProcess {
  private final List<Integer> started = new ArrayList<>();

  @AfterEach
  void end() {
    for (int pid : started) {
      Detached.kill(pid);
    }
  }

  /** The object that a command with {@code --json} prints; null if it prints none. */
  private Map<?, ?> run(int code, String... args) {
    List<String> all = new ArrayList<>(List.of(args));
    all.add("--json");
    int ended = run(all.toArray(new String[0]));
    assertThat(ended).as(all + ": " + out + err).isEqualTo(code);
    return object();
  }

  private static int number(Map<?, ?> object, String field) {
    return ((Number) Objects.requireNonNull(object.get(field), field)).intValue();
  }

  @Test
  void aProcessIsSavedKilledAndBroughtBackByName() {
    try (Target target = Target.start(temporary, "timers")) {
      started.add(target.pid());
      String pid = Integer.toString(target.pid());
      Map<?, ?> saved = run(0, "snapshot", pid, "--name", "web");
      assertThat(saved.get("name")).isEqualTo("web");
      assertThat(number(saved, "pid")).isEqualTo(target.pid());
      assertThat(String.valueOf(saved.get("capture"))).isEqualToIgnoringCase("fork");
      assertThat(number(saved, "memoryBytes")).isPositive();
      assertThat(number(saved, "imageBytes")).isPositive();
      assertThat(((Map<?, ?>) saved).containsKey("pauseMillis")).isTrue();
      target.awaitPasses(3);

      run(2, "snapshot", pid, "--name", "web");
      assertThat(run(0, "snapshot", pid, "--kill", "--capture", "stop").get("killed"))
          .isEqualTo(true);
      assertThat(target.alive()).isFalse();

      run(0, "verify", "web");
      Map<?, ?> restored = run(0, "restore", "web", "--in-place");
      assertThat(number(restored, "pid")).isEqualTo(target.pid());
      assertThat(restored.get("lazy")).isInstanceOf(Boolean.class);
      target.awaitPasses(10);
      assertThat(target.errors()).isEmpty();
    }
  }

  @Test
  void everyFailureHasItsCode() throws Exception {
    Path watched = Files.writeString(temporary.resolve("watched"), "");
    int tail =
        Detached.start(temporary.resolve("words"), List.of("tail", "-f", watched.toString()));
    started.add(tail);
    while (run(0, "inspect", Integer.toString(tail)).toString().indexOf("inotify") < 0) {
      Thread.sleep(5);
    }
    Map<?, ?> refusal = run(3, "snapshot", Integer.toString(tail));
    assertThat(refusal.toString()).contains("inotify", "--drop fd:");

    Detached.kill(tail);
    run(4, "snapshot", Integer.toString(tail));
    run(4, "inspect", Integer.toString(tail));
    run(4, "snapshot", "no-process-is-called-so");
    run(5, "restore", "no-snapshot-is-called-so");
    run(2, "snapshot", Long.toString(ProcessHandle.current().pid()));
    run(2, "snapshot", "1", "--capture", "somehow");
    run(2, "snapshot", "2");
    assertThat(err).doesNotContain("\tat ");
    assertThat(new LogFile(temporary.resolve("words")).lines()).isEmpty();
  }
}
