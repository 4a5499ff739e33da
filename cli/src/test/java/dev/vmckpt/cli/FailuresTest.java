// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FailuresTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private int report(Throwable failure, boolean json) {
    Session session =
        new Session(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Map.of(),
            false,
            false);
    return new Failures(session, json, false).report(failure);
  }

  private String said() {
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void aBugIsOneSentence() {
    assertThat(report(new IllegalStateException("no thread"), false)).isEqualTo(1);
    assertThat(said().strip().lines()).hasSize(1);
    assertThat(said()).contains("IllegalStateException: no thread", "--debug");
  }

  @Test
  void anInputOrOutputErrorIsASentenceToo() {
    assertThat(report(new UncheckedIOException(new AccessDeniedException("/x")), false))
        .isEqualTo(6);
    assertThat(said()).contains("permission denied (/x)");
  }

  @Test
  void aCauseAddsItsFactOnce() {
    report(new FailureException("the socket broke", new IOException("connection reset")), false);
    assertThat(said()).isEqualTo("vmckpt: the socket broke: connection reset\n");
  }

  @Test
  void whatElseWentWrongIsNotLost() {
    FailureException failure = new FailureException("first");
    failure.addSuppressed(new FailureException("second"));
    report(failure, false);
    assertThat(said()).isEqualTo("vmckpt: first\n  also: second\n");
  }

  @Test
  void everyRefusalIsNamed() {
    Refusal refusal = new Refusal("fd:12 socket:[1]", "nobody carries it", "--drop fd:12");
    assertThat(report(new RefusedException("snapshot of 1", List.of(refusal)), true)).isEqualTo(3);
    assertThat(said()).contains("fd:12 socket:[1]: nobody carries it; --drop fd:12");
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("\"resource\" : \"fd:12 socket:[1]\"", "\"remedy\" : \"--drop fd:12\"");
  }

  @Test
  void controlCharactersDoNotReachTheTerminal() {
    report(new FailureException("no process \033[2J"), false);
    assertThat(said()).doesNotContain("\033");
  }
}
