// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that are no monitors: they run as if they had been started directly. */
class RunTest {
  /** What a command can see of how it was started; without what differs with each process. */
  private static final String LOOK =
      "env | grep -av '^_=' | sort; pwd; umask; ulimit -a; grep -E 'Sig(Blk|Ign)|Seccomp|NoNewPrivs|Cap'"
          + " /proc/self/status; cd /proc/$$/fd; for f in *; do echo $f $(readlink $f | sed 's/pipe:.*/pipe/'); done;"
          + " printf '%s|' \"$0\" \"$@\"";

  /**
   * A command that says all of that, and words that are easily spoilt; behind the end of options.
   */
  private static final List<String> LOOKS =
      List.of("--", "sh", "-c", LOOK, "a b", "", "@x", "--json", "-d", "\u00fc $HOME '\"");

  @TempDir Path folder = Path.of("/nonexistent");

  @Test
  void itEndsAsTheCommandDoes() throws Exception {
    assertThat(Recorder.run(folder, "--", "/bin/sh", "-c", "exit 0").code()).isZero();
    assertThat(Recorder.run(folder, "sh", "-c", "exit 77").code()).isEqualTo(77);
    assertThat(Recorder.run(folder, "sh", "-c", "kill -TERM $$").code()).isEqualTo(128 + 15);
    assertThat(Recorder.run(folder, "sh", "-c", "kill -SEGV $$").code()).isEqualTo(128 + 11);
  }

  @Test
  void whatCannotBeExecutedIsSaidSo() throws Exception {
    Path plain = Files.writeString(folder.resolve("plain"), "echo plain; exit 4\n");
    Recorder.Run none = Recorder.run(folder, "no-such-command-as-this");
    assertThat(none.code()).isEqualTo(127);
    assertThat(none.err()).contains("no-such-command-as-this").contains("ENOENT");
    Recorder.Run forbidden = Recorder.run(folder, plain.toString());
    assertThat(forbidden.code()).isEqualTo(126);
    assertThat(forbidden.err()).contains("EACCES");
    assertThat(Recorder.run(folder, folder.toString()).code()).isEqualTo(126);
    // As a shell would: a file without a first line that names an interpreter is a script.
    Files.setPosixFilePermissions(plain, PosixFilePermissions.fromString("rwxr-xr-x"));
    Recorder.Run script = Recorder.run(folder, "./plain");
    assertThat(script.code()).isEqualTo(4);
    assertThat(script.out()).isEqualTo("plain\n");
    assertThat(Recorder.run(folder).code()).isEqualTo(2);
    assertThat(Recorder.run(folder, "--help").out()).contains("Example:", "--detach", "127");
  }

  @Test
  void theCommandSeesNothingOfTheRecorder() throws Exception {
    Recorder.Run run =
        Recorder.run(
            folder,
            List.of("VMCKPT_CALLER=" + Long.toHexString(ignored()) + " unlimited ,0,1,2 -"),
            LOOKS.toArray(new String[0]));
    assertThat(run.code()).isZero();
    assertThat(run.out()).isEqualTo(direct(""));
    assertThat(run.err()).isEmpty();
  }

  @Test
  void whatTheLauncherSawIsPutBack() throws Exception {
    // Ignored: HUP, USR1, PIPE. The limit of files, and LC_ALL, which the launcher sets.
    String before = "trap '' HUP USR1 PIPE; ulimit -Sn 345; export LC_ALL=POSIX; ";
    Recorder.Run run =
        Recorder.run(
            folder,
            List.of("VMCKPT_CALLER=" + Long.toHexString(ignored() | 0x1201) + " 345 ,0,1,2 =POSIX"),
            LOOKS.toArray(new String[0]));
    assertThat(run.out()).isEqualTo(direct(before));
  }

  /** What is ignored in programs that are started here; Java itself cannot tell. */
  private long ignored() throws IOException, InterruptedException {
    Path file = folder.resolve("ignored");
    new ProcessBuilder("sh", "-c", "sed -n 's/SigIgn:[^0-9]*//p' /proc/$$/status")
        .redirectOutput(file.toFile())
        .start()
        .waitFor();
    return Long.parseUnsignedLong(Files.readString(file).strip(), 16);
  }

  private String direct(String before) throws IOException, InterruptedException {
    // A shell takes the first word behind its script for its own name.
    List<String> command = new ArrayList<>(List.of("sh", "-c", before + "exec \"$@\""));
    command.addAll(LOOKS);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    Process process =
        builder
            .directory(folder.toFile())
            .redirectInput(new File("/dev/null"))
            .redirectOutput(folder.resolve("out").toFile())
            .redirectError(folder.resolve("err").toFile())
            .start();
    assertThat(process.waitFor()).isZero();
    return Files.readString(folder.resolve("out"));
  }

  @Test
  void signalsReachTheCommand() throws Exception {
    // What the tests were started with ignored stays so: INT by a shell's '&', HUP by nohup.
    Map<String, Integer> numbers = Map.of("TERM", 15, "HUP", 1, "INT", 2);
    for (String signal : List.of("TERM", "HUP", "INT")) {
      if ((ignored() >> (numbers.getOrDefault(signal, 0) - 1) & 1) != 0) {
        continue;
      }
      Path ready = folder.resolve("ready-" + signal);
      String script =
          "trap 'echo got; exit 9' " + signal + "; >" + ready + "; while :; do sleep 0.05; done";
      try (Recorder recorder = Recorder.start(folder, "--limit", "1", "--", "sh", "-c", script)) {
        awaitFile(ready);
        awaitUntraced(recorder);
        Detached.signal(recorder.pid(), signal);
        Recorder.Run run = recorder.await();
        assertThat(run.code()).as(signal).isEqualTo(9);
        assertThat(run.out()).isEqualTo("got\n");
      }
    }
  }

  @Test
  void aStoppedCommandStaysStoppedWhileItIsTraced() throws Exception {
    Path log = folder.resolve("log");
    String script = "echo $$ >" + log + ".pid; while :; do echo x >>" + log + "; sleep 0.02; done";
    try (Recorder recorder = Recorder.start(folder, "--", "sh", "-c", script)) {
      awaitFile(log);
      int pid = Integer.parseInt(Files.readString(Path.of(log + ".pid")).strip());
      assertThat(Recorder.tracers(pid)).isNotEmpty().doesNotContain(0);
      Detached.signal(pid, "STOP");
      LockSupport.parkNanos(200_000_000);
      long size = Files.size(log);
      LockSupport.parkNanos(300_000_000);
      assertThat(Files.size(log)).isEqualTo(size);
      assertThat(Detached.state(pid)).isIn('t', 'T');
      // Still stopped when nobody traces it any more.
      recorder.kill();
      LockSupport.parkNanos(100_000_000);
      assertThat(Recorder.tracers(pid)).containsOnly(0);
      assertThat(Detached.state(pid)).isEqualTo('T');
      Detached.signal(pid, "CONT");
      long deadline = System.nanoTime() + 10_000_000_000L;
      while (Files.size(log) == size && System.nanoTime() < deadline) {
        LockSupport.parkNanos(10_000_000);
      }
      assertThat(Files.size(log)).isGreaterThan(size);
    }
  }

  @Test
  void aCommandThatEndsIsNotWaitedForByTheRecorderOfItsChildren() throws Exception {
    try (Recorder recorder =
        Recorder.start(folder, "sh", "-c", "sleep 300 >/dev/null 2>&1 & exit 3")) {
      assertThat(recorder.await().code()).isEqualTo(3);
      assertThat(recorder.leftovers()).hasSize(1);
      assertThat(Recorder.tracers(recorder.leftovers().get(0))).containsOnly(0);
    }
  }

  private static void awaitFile(Path file) {
    long deadline = System.nanoTime() + 30_000_000_000L;
    while (!Files.exists(file) && System.nanoTime() < deadline) {
      LockSupport.parkNanos(5_000_000);
    }
    assertThat(file).exists();
  }

  private static void awaitUntraced(Recorder recorder) throws IOException {
    long deadline = System.nanoTime() + 30_000_000_000L;
    boolean traced = true;
    while (traced && System.nanoTime() < deadline) {
      LockSupport.parkNanos(5_000_000);
      traced = false;
      for (int pid : recorder.leftovers()) {
        try {
          traced |= !Recorder.tracers(pid).contains(0);
        } catch (IOException gone) {
          traced = true;
        }
      }
    }
    assertThat(traced).isFalse();
  }
}
