// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.ckpt.Restored;
import dev.vmckpt.images.Images;
import dev.vmckpt.images.Target;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.CaptureFacts;
import dev.vmckpt.store.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every target program: saved while it runs on, killed, brought back, saved again, over three
 * generations and by every means. A program tells by itself what is not as it was.
 */
@Execution(ExecutionMode.CONCURRENT)
class ProgramsTest {
  /** About a second. */
  private static final int PASSES = 20;

  /** A program that has a child of its own for a moment of every pass. */
  private static final String FORKING = "files";

  @TempDir Path folder = Path.of("/nonexistent");

  static List<String> programs() {
    return Images.programs();
  }

  @ParameterizedTest
  @MethodSource("programs")
  void itComesBack(String program) throws IOException {
    try (Workshop workshop = new Workshop(folder);
        Target original = start(program)) {
      original.awaitPasses(3);
      Stored first = save(workshop, original.pid(), CaptureFacts.Method.FORK);
      assertThat(first.manifest().capture().method()).isEqualTo(CaptureFacts.Method.FORK);
      if (!program.equals(FORKING)) {
        assertThat(hasChild(original)).isFalse();
      }
      goesOn(original, PASSES);
      original.end();

      Restored second = workshop.restore(first);
      assertThat(second.pid()).isEqualTo(original.pid());
      goesOn(original, PASSES);
      Stored ofSecond = save(workshop, second.pid(), CaptureFacts.Method.FORK);
      assertThat(ofSecond.manifest().parent()).isIn(first.id(), null);
      goesOn(original, PASSES / 2);
      workshop.end(second);

      Restored third = workshop.restore(ofSecond);
      assertThat(third.pid()).isEqualTo(original.pid());
      goesOn(original, PASSES);
      Stored ofThird = save(workshop, third.pid(), CaptureFacts.Method.STOP);
      assertThat(ofThird.manifest().capture().method()).isEqualTo(CaptureFacts.Method.STOP);
      goesOn(original, PASSES / 2);
      workshop.end(third);

      Restored fourth = workshop.restore(ofThird, false, true, Map.of());
      assertThat(fourth.pid()).isEqualTo(original.pid());
      assertThat(fourth.lazy()).isFalse();
      goesOn(original, PASSES);
      workshop.end(fourth);
    }
  }

  private Target start(String program) throws IOException {
    return switch (program) {
      case "unixsockets" -> Target.start(folder, program, folder.resolve("socket").toString());
      case "tcplisten" -> Target.start(folder, program, Integer.toString(Ports.free()));
      default -> Target.start(folder, program);
    };
  }

  @ParameterizedTest
  @MethodSource("programs")
  void stoppedItComesBackStoppedAndTheSame(String program) throws IOException {
    try (Workshop workshop = new Workshop(folder);
        Target original = start(program)) {
      original.awaitPasses(3);
      stop(original);
      List<String> before = fingerprint(program, original.pid(), original.pid());
      Stored saved = workshop.snapshot(original.pid());
      original.awaitState('T');
      same(before, fingerprint(program, original.pid(), original.pid()));
      original.end();

      Restored restored = workshop.restore(saved);
      original.awaitState('T');
      same(before, fingerprint(program, restored.pid(), restored.innerPid()));
      original.signal("CONT");
      goesOn(original, PASSES / 2);
    }
  }

  /** Somebody who is nobody, and somebody who was given a few groups and may never become more. */
  static List<List<String>> people() {
    return List.of(
        List.of("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
        List.of(
            "setpriv",
            "--reuid",
            "4711",
            "--regid",
            "4712",
            "--groups",
            "7,4712,60000",
            "--inh-caps",
            "-all",
            "--bounding-set",
            "-all,+net_admin",
            "--no-new-privs"));
  }

  @ParameterizedTest
  @MethodSource("people")
  void itComesBackAsWhomItWas(List<String> prefix) throws IOException {
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    try (Workshop workshop = new Workshop(folder);
        Target original = Target.start(folder, prefix, "threads")) {
      original.awaitPasses(3);
      stop(original);
      List<String> before = Fingerprint.of(original.pid(), original.pid());
      Stored saved = workshop.snapshot(original.pid());
      same(before, Fingerprint.of(original.pid(), original.pid()));
      original.end();

      Restored restored = workshop.restore(saved);
      original.awaitState('T');
      same(before, Fingerprint.of(restored.pid(), restored.innerPid()));
      original.signal("CONT");
      goesOn(original, PASSES / 2);
      Stored again = workshop.snapshot(restored.pid());
      workshop.end(restored);
      workshop.restore(again);
      goesOn(original, PASSES / 2);
    }
  }

  @Test
  void aSleeperMaySeeNoStopAtAll() {
    try (Workshop workshop = new Workshop(folder);
        Target original = Target.start(folder, "sleeper", "strict")) {
      original.awaitPasses(3);
      Stored saved = workshop.snapshot(original.pid());
      goesOn(original, PASSES / 2);
      original.end();
      workshop.restore(saved);
      goesOn(original, PASSES);
    }
  }

  private static void stop(Target target) throws IOException {
    target.signal("STOP");
    target.awaitState('T');
    while (hasChild(target)) {
      target.signal("CONT");
      target.awaitPasses(1);
      target.signal("STOP");
      target.awaitState('T');
    }
  }

  private static boolean hasChild(Target target) throws IOException {
    Path children = Path.of("/proc/" + target.pid() + "/task/" + target.pid() + "/children");
    return !Files.readString(children).isBlank();
  }

  /** Saves it, in a moment in which it has no child. */
  private static Stored save(Workshop workshop, int pid, CaptureFacts.@Nullable Method method) {
    for (int attempt = 1; ; attempt++) {
      try {
        return workshop.snapshot(pid, method);
      } catch (RefusedException e) {
        if (attempt == 20 || !e.refusals().get(0).resource().startsWith("child:")) {
          throw e;
        }
      }
    }
  }

  private static List<String> fingerprint(String program, int pid, int innerPid) {
    List<String> lines = Fingerprint.of(pid, innerPid);
    if (program.equals("timers")) {
      // As long as it waits in sigtimedwait, the kernel shows those signals as not blocked.
      lines.removeIf(line -> line.contains(" SigBlk "));
    }
    return lines;
  }

  private static void same(List<String> before, List<String> after) {
    assertThat(Fingerprint.difference(before, after)).isEmpty();
  }

  private static void goesOn(Target target, int passes) {
    target.awaitPasses(passes);
    assertThat(target.errors()).isEmpty();
  }
}
