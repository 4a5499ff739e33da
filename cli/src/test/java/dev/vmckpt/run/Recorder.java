// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.run;

import dev.vmckpt.images.Detached;
import dev.vmckpt.kit.Marks;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * {@code vmckpt run} in a process of its own, by this build's classes. Whatever it starts carries a
 * mark, which every child inherits: its oom_score_adj.
 */
final class Recorder implements AutoCloseable {
  private final int mark = Marks.fresh();
  private final Process process;
  private final Path folder;

  /** What an ended run said. */
  record Run(int code, String out, String err) {}

  private Recorder(Path folder, List<String> environment, String... arguments) throws IOException {
    this.folder = folder;
    List<String> command =
        new ArrayList<>(
            List.of("/bin/sh", "-c", "echo $0 >/proc/self/oom_score_adj; exec \"$@\"", "" + mark));
    command.add("env");
    command.addAll(environment);
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            "dev.vmckpt.cli.Main",
            "run"));
    command.addAll(Arrays.asList(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    process =
        builder
            .redirectInput(new File("/dev/null"))
            .redirectOutput(folder.resolve("out").toFile())
            .redirectError(folder.resolve("err").toFile())
            .start();
  }

  static Recorder start(Path folder, String... arguments) throws IOException {
    return new Recorder(folder, List.of(), arguments);
  }

  /** Runs it to its end. */
  static Run run(Path folder, String... arguments) throws IOException, InterruptedException {
    try (Recorder recorder = start(folder, arguments)) {
      return recorder.await();
    }
  }

  /** With more variables, each {@code NAME=VALUE}. */
  static Run run(Path folder, List<String> environment, String... arguments)
      throws IOException, InterruptedException {
    try (Recorder recorder = new Recorder(folder, environment, arguments)) {
      return recorder.await();
    }
  }

  Run await() throws IOException, InterruptedException {
    if (!process.waitFor(2, TimeUnit.MINUTES)) {
      throw new AssertionError("still running: " + Files.readString(folder.resolve("err")));
    }
    return new Run(
        process.exitValue(),
        Files.readString(folder.resolve("out")),
        Files.readString(folder.resolve("err")));
  }

  int pid() {
    return (int) process.pid();
  }

  /** SIGKILL, as sudden as death can be. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** Processes that live and were started by it, directly or not. */
  List<Integer> leftovers() {
    List<Integer> found = new ArrayList<>();
    String[] names = new File("/proc").list();
    for (String name : names == null ? new String[0] : names) {
      if (!Character.isDigit(name.charAt(0)) || Integer.parseInt(name) == process.pid()) {
        continue;
      }
      try {
        String score = Files.readString(Path.of("/proc/" + name + "/oom_score_adj")).strip();
        if (score.equals("" + mark) && Detached.alive(Integer.parseInt(name))) {
          found.add(Integer.parseInt(name));
        }
      } catch (IOException gone) {
        // Ended meanwhile.
      }
    }
    return found;
  }

  /** The threads that trace a process' threads; 0 for none. */
  static List<Integer> tracers(int pid) throws IOException {
    List<Integer> tracers = new ArrayList<>();
    String[] threads = new File("/proc/" + pid + "/task").list();
    for (String thread : threads == null ? new String[0] : threads) {
      for (String line :
          Files.readAllLines(Path.of("/proc/" + pid + "/task/" + thread + "/status"))) {
        if (line.startsWith("TracerPid:")) {
          tracers.add(Integer.parseInt(line.substring("TracerPid:".length()).strip()));
        }
      }
    }
    return tracers;
  }

  /** Ends it and what it left. */
  @Override
  public void close() {
    process.destroyForcibly();
    for (int pid : leftovers()) {
      Detached.kill(pid);
    }
  }
}
