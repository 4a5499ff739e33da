// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.spi.FileStat;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * A real QEMU with a machine whose cpu stands still. A second monitor on its standard output says
 * that the first one listens. What a guest would write is written by QEMU's own {@code qemu-io},
 * through the same formats.
 */
public final class RealQemu implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final Qmp qmp;

  private RealQemu(Process process, Qmp qmp) {
    this.process = process;
    this.qmp = qmp;
  }

  /** Starts one. */
  public static RealQemu start(Path folder, String... options) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-m",
                "16",
                "-nodefaults",
                "-display",
                "none",
                "-S",
                "-qmp",
                "stdio",
                "-qmp",
                "unix:" + folder.resolve("qmp") + ",server=on,wait=off"));
    command.addAll(Arrays.asList(options));
    Process process = null;
    try {
      process =
          new ProcessBuilder(command)
              .directory(folder.toFile())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      String greeting =
          new BufferedReader(
                  new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))
              .readLine();
      if (greeting == null) {
        throw new IllegalStateException("no greeting from " + command);
      }
      return new RealQemu(process, Qmp.connect(folder.resolve("qmp"), PATIENCE));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (RuntimeException e) {
      if (process != null) {
        process.destroyForcibly();
      }
      throw e;
    }
  }

  /** Its monitor. */
  public Qmp qmp() {
    return qmp;
  }

  int pid() {
    return (int) process.pid();
  }

  /**
   * Writes as the guest does.
   *
   * @param command for example {@code write -P 7 0 64k}
   * @return what is said of it: nothing else than an error
   */
  String io(String drive, String command) {
    JsonNode said =
        qmp.execute(
            "human-monitor-command",
            args -> args.put("command-line", "qemu-io " + drive + " \"" + command + "\""));
    return said.asText();
  }

  /** What a vmckpt has made in it. */
  List<String> leftInside() {
    List<String> left = new ArrayList<>();
    for (String query : List.of("query-jobs", "query-named-block-nodes")) {
      String said = qmp.execute(query).toString();
      if (said.contains("vmckpt-")) {
        left.add(said);
      }
    }
    return left;
  }

  void kill() {
    process.destroyForcibly();
    try {
      if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("process " + process.pid() + " does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  @Override
  public void close() {
    qmp.close();
    kill();
  }

  /** Makes a file with data at both ends and in the middle, holes between. */
  static Path sparse(Path path, long length, Random random) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(length);
      byte[] some = new byte[200_000];
      for (long at : new long[] {0, length / 2, length - some.length}) {
        random.nextBytes(some);
        file.seek(at);
        file.write(some);
      }
    }
    return path;
  }

  /** Runs a program of ours to its good end; returns what it said. */
  static String run(String... command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new AssertionError(String.join(" ", command) + ": " + said);
      }
      return said;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /** What the engine would say of a file. */
  static FileStat stat(Path path) {
    FileKey key = FileKey.tryOf(path);
    try {
      Map<String, Object> stat = Files.readAttributes(path, "unix:mode,size,nlink");
      return new FileStat(
          key == null ? -1 : key.device(),
          key == null ? -1 : key.inode(),
          (Integer) stat.getOrDefault("mode", 0),
          0,
          (Long) stat.getOrDefault("size", -1L),
          (Integer) stat.getOrDefault("nlink", 0),
          0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
