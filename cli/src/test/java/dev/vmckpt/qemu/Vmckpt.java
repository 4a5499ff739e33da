// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.images.Detached;
import dev.vmckpt.kit.Launcher;
import dev.vmckpt.kit.Marks;
import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.json.RecordJson;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The command line as a user starts it, in a process of its own, with a store of its own. Whatever
 * it starts and leaves behind carries a mark: its oom_score_adj, which every child inherits.
 *
 * <p>It is started by the {@link Launcher}.
 */
final class Vmckpt {
  /** Executes its arguments where /dev has what a program needs, and no KVM. */
  private static final String WITHOUT_KVM =
      "d=$0; mkdir \"$d\" && mount -t tmpfs dev \"$d\" && for f in null zero full random urandom tty;"
          + " do : >\"$d/$f\" && mount --bind \"/dev/$f\" \"$d/$f\" || exit 99; done;"
          + " mkdir \"$d/shm\" && ln -s /proc/self/fd \"$d/fd\" && mount --rbind \"$d\" /dev && exec \"$@\"";

  private final Path folder;
  private final Path store;
  private final int mark;
  private final List<String> prefix;
  private final String classPath;
  private int runs;

  /** What an ended run said. */
  record Run(int code, String out, String err) {
    /** Standard output as the one object it must be. */
    Map<?, ?> object() {
      byte[] bytes = out.getBytes(StandardCharsets.UTF_8);
      return (Map<?, ?>)
          Objects.requireNonNull(
              RecordJson.read(bytes, 0, bytes.length, JsonTree.class, "output").value());
    }

    int number(String field) {
      return ((Long) Objects.requireNonNull(object().get(field), field)).intValue();
    }

    String text(String field) {
      return String.valueOf(object().get(field));
    }

    double millis(String field) {
      return ((Number) Objects.requireNonNull(object().get(field), field)).doubleValue();
    }
  }

  /**
   * @param folder for what it says; the store is a folder in it
   */
  Vmckpt(Path folder) {
    this(folder, folder.resolve("store"), Marks.fresh(), List.of(), "");
  }

  /**
   * @param classPath of classes to be run without the launcher; empty for none
   */
  private Vmckpt(Path folder, Path store, int mark, List<String> prefix, String classPath) {
    this.folder = folder;
    this.store = store;
    this.mark = mark;
    this.prefix = prefix;
    this.classPath = classPath;
  }

  /** The same with another store. */
  Vmckpt withStore(Path other) {
    return new Vmckpt(folder, other, mark, prefix, classPath);
  }

  /** The same with another mark. */
  Vmckpt marked() {
    return new Vmckpt(folder, store, Marks.fresh(), prefix, classPath);
  }

  /**
   * The same, run by the user nobody, who may not read this tree: from copies of its classes.
   *
   * @param place where the copies go; nobody must be able to get there
   */
  Vmckpt asNobody(Path place) throws IOException {
    StringBuilder copies = new StringBuilder();
    int number = 0;
    String classes = System.getProperty("java.class.path");
    for (String entry : classes.split(File.pathSeparator, -1)) {
      Path from = Path.of(entry);
      Path to = place.resolve("" + number++ + from.getFileName());
      if (Files.isRegularFile(from)) {
        Files.copy(from, to);
      } else if (Files.isDirectory(from) && entry.endsWith("/classes")) {
        try (Stream<Path> all = Files.walk(from)) {
          for (Path each : all.toList()) {
            Files.copy(each, to.resolve(from.relativize(each)));
          }
        }
      }
      copies.append(copies.isEmpty() ? "" : File.pathSeparator).append(to);
    }
    return new Vmckpt(
        folder,
        store,
        mark,
        List.of("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
        copies.toString());
  }

  /** The same, run where there is no /dev/kvm: in a mount namespace of its own. */
  Vmckpt withoutKvm() {
    return new Vmckpt(
        folder,
        store,
        mark,
        List.of("unshare", "-m", "sh", "-c", WITHOUT_KVM, "" + folder.resolve("dev")),
        classPath);
  }

  /** The same, run by a program that executes its arguments, for example elsewhere. */
  Vmckpt by(List<String> program) {
    return new Vmckpt(folder, store, mark, program, classPath);
  }

  Path store() {
    return store;
  }

  /** Starts it; it is killed by {@code destroyForcibly}. */
  Process start(Path out, Path err, String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of("/bin/sh", "-c", "echo $0 >/proc/self/oom_score_adj; exec \"$@\"", "" + mark));
    command.addAll(prefix);
    if (!classPath.isEmpty()) {
      command.addAll(
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-XX:+UseSerialGC",
              "-XX:TieredStopAtLevel=1",
              "-XX:-UsePerfData",
              "-Xshare:auto",
              "-Xmx256m",
              "-cp",
              classPath,
              "dev.vmckpt.cli.Main"));
    } else {
      command.add(Launcher.path().toString());
    }
    command.addAll(Arrays.asList(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("VMCKPT_STORE", store.toString());
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    return builder
        .directory(folder.toFile())
        .redirectInput(new File("/dev/null"))
        .redirectOutput(out.toFile())
        .redirectError(err.toFile())
        .start();
  }

  /** Runs it to its end. It never shows a stack trace. */
  Run run(String... arguments) throws IOException, InterruptedException {
    Path out = folder.resolve("vmckpt-" + runs + ".out");
    Path err = folder.resolve("vmckpt-" + runs++ + ".err");
    Process process = start(out, err, arguments);
    if (!process.waitFor(3, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("still running: " + List.of(arguments) + Files.readString(err));
    }
    Run run = new Run(process.exitValue(), Files.readString(out), Files.readString(err));
    assertThat(run.err).doesNotContain("\tat ", "Exception", "something went wrong");
    return run;
  }

  /** Runs it to its end, which must be a good one. */
  Run ok(String... arguments) throws IOException, InterruptedException {
    Run run = run(arguments);
    assertThat(run.code).as("%s: %s", List.of(arguments), run.err).isZero();
    return run;
  }

  /** Runs it to its end, which must be a failure that is told in words. */
  Run fails(int code, String... arguments) throws IOException, InterruptedException {
    Run run = run(arguments);
    assertThat(run.code).as("%s: %s%s", List.of(arguments), run.out, run.err).isEqualTo(code);
    assertThat(run.err).contains("vmckpt: ");
    return run;
  }

  /** Processes that live and were started by such a run, directly or not. */
  List<Integer> leftovers() {
    List<Integer> found = new ArrayList<>();
    for (int pid : Health.numbers(Path.of("/proc"))) {
      try {
        String score = Files.readString(Path.of("/proc/" + pid + "/oom_score_adj")).strip();
        if (score.equals("" + mark) && Detached.alive(pid)) {
          found.add(pid);
        }
      } catch (IOException gone) {
        // Ended meanwhile.
      }
    }
    return found;
  }

  /** Waits until nothing lives that such a run has started. */
  void awaitNoLeftovers() {
    Health.await("leftovers of a killed run", () -> leftovers().isEmpty());
  }
}
