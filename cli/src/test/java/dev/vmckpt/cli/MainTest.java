// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.store.Samples;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest extends InProcess {
  private List<?> list(String field) {
    return (List<?>) Objects.requireNonNull(object().get(field));
  }

  private Stored saved(String name) {
    return Samples.save(Samples.store(temporary.resolve("store")), name, "tag");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "snapshot",
        "restore",
        "inspect",
        "list",
        "show",
        "export",
        "verify",
        "rm",
        "doctor",
        "demo",
        "completion"
      })
  void everyCommandHasHelpWithAnExampleAndKnowsTheCommonOptions(String command) {
    assertThat(run(command, "--help")).isZero();
    assertThat(out).contains("Example:", "vmckpt " + command, "--json", "--store", "--debug");
    assertThat(err).isEmpty();
  }

  @Test
  void helpOfTheWhole() {
    assertThat(run("--help")).isZero();
    assertThat(out).contains("snapshot", "restore", "doctor", "Exit codes:", "6   not permitted");
    assertThat(out).doesNotContain("warm-up");
  }

  @Test
  void version() {
    assertThat(run("--version")).isZero();
    assertThat(out).matches("(?s)vmckpt \\d+\\.\\d+\\.\\d+.*");
  }

  @Test
  void wrongUsage() {
    for (String[] args :
        new String[][] {
          {},
          {"nonsense"},
          {"--nonsense"},
          {"list", "--nonsense"},
          {"snapshot"},
          {"restore"},
          {"rm"},
          {"verify"},
          {"export", "x"},
          {"export", "--core", "x"},
          {"show", "a", "b"},
          {"snapshot", "1", "--capture", "magic"},
          {"restore", "x", "--reattach", "novalue"}
        }) {
      assertThat(run(args)).as(List.of(args).toString()).isEqualTo(2);
      assertThat(out).isEmpty();
      assertThat(err).startsWith("vmckpt: ").contains("--help").doesNotContain("\tat ");
      assertThat(err.strip().lines()).hasSize(1);
    }
  }

  @Test
  void aFailureIsOneObjectForPrograms() {
    assertThat(run("show", "nothing", "--json")).isEqualTo(5);
    assertThat(object().get("exitCode")).isEqualTo(5L);
    assertThat(object().get("fault")).isEqualTo("missing");
    assertThat(list("refusals")).isEmpty();
    assertThat(String.valueOf(object().get("error"))).contains("no snapshot nothing");

    assertThat(run("nonsense", "--json")).isEqualTo(2);
    assertThat(object().get("exitCode")).isEqualTo(2L);
  }

  @Test
  void noSuchTarget() {
    for (String target : List.of("0", "99999999", "99999999999999999999", "no-such-process")) {
      for (String command : List.of("snapshot", "inspect")) {
        assertThat(run(command, target)).as(command + " " + target).isEqualTo(4);
        assertThat(err).contains(target);
      }
    }
    assertThat(temporary.resolve("store")).doesNotExist();
  }

  @Test
  void anEmptyStore() {
    assertThat(run("list")).isZero();
    assertThat(out).contains("no snapshots");
    assertThat(run("list", "--json")).isZero();
    assertThat(list("snapshots")).isEmpty();
    assertThat(temporary.resolve("store")).doesNotExist();
  }

  @Test
  void listShowVerifyAndRemove() {
    Stored stored = saved("web");

    assertThat(run("list")).isZero();
    assertThat(out).contains(stored.id(), "web", "4242 sample", "9.1 ms", "tag");
    assertThat(run("list", "--json")).isZero();
    Map<?, ?> first = (Map<?, ?>) list("snapshots").get(0);
    assertThat(first.get("snapshot")).isEqualTo(stored.id());
    assertThat(first.get("name")).isEqualTo("web");

    assertThat(run("show", "web")).isZero();
    assertThat(out).contains(stored.id(), Samples.DISK, "sample --option", "files");
    assertThat(run("show", "web", "--json")).isZero();
    assertThat(object().get("snapshot")).isEqualTo(stored.id());

    assertThat(run("verify", "web", "--json")).isZero();
    assertThat(list("verified")).hasSize(1);

    assertThat(run("rm", "web", stored.id(), "--json")).isZero();
    assertThat(object().get("removed")).isEqualTo(List.of(stored.id()));
    assertThat(run("rm", "web")).isEqualTo(5);
  }

  @Test
  void aDamagedSnapshot() throws IOException {
    Stored stored = saved("web");
    Files.writeString(stored.folder().resolve(Samples.DISK), "damage");

    assertThat(run("verify", "web")).isEqualTo(5);
    assertThat(err).contains(Samples.DISK, "is damaged");
    assertThat(run("restore", "web", "--json")).isEqualTo(5);
    assertThat(object().get("fault")).isEqualTo("corrupt");

    Files.writeString(stored.folder().resolve("manifest.json"), "{");
    assertThat(run("list")).isZero();
    assertThat(out).contains(stored.id(), "corrupt");
    assertThat(run("list", "--json")).isZero();
    assertThat(out).contains("\"fault\" : \"corrupt\"");
  }

  @Test
  void aNameThatIsTakenIsToldBeforeTheTargetIsTouched() {
    saved("web");
    String self = Long.toString(ProcessHandle.current().pid());
    assertThat(run("snapshot", self, "--name", "web")).isEqualTo(2);
    assertThat(err).contains("there is a snapshot named web");
  }

  @Test
  void optionsDecideBeforeTheEnvironmentDoes() {
    saved("web");
    assertThat(run("list", "--store", temporary.resolve("other").toString())).isZero();
    assertThat(out).contains("no snapshots");
  }

  @Test
  void coloursAreForTerminalsOnly() {
    saved("web");
    run("list");
    assertThat(out).doesNotContain("\033");
    terminal = true;
    run("list");
    assertThat(out).contains("\033[1m");
    run("show", "nothing");
    assertThat(err).contains("\033[");
    environment.put("NO_COLOR", "1");
    run("list");
    assertThat(out).doesNotContain("\033");
  }

  @Test
  void theCompletionIsAScriptThatBashReads() throws Exception {
    assertThat(run("completion")).isZero();
    assertThat(out).contains("snapshot", "restore", "--in-place");
    Path script = Files.writeString(temporary.resolve("completion"), out);
    Process bash = new ProcessBuilder("bash", "-n", script.toString()).inheritIO().start();
    assertThat(bash.waitFor()).isZero();
  }

  @Test
  void aStackTraceIsShownOnlyWhenAskedFor() {
    run("show", "nothing");
    assertThat(err).doesNotContain("\tat ");
    run("show", "nothing", "--debug");
    assertThat(err).contains("\tat ");
  }
}
