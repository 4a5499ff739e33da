// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpConnectException;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.error.FailureException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A QEMU that we started, with a monitor of ours. Closing it ends it, and so does our death, unless
 * it was {@linkplain #release released}.
 */
final class QemuProcess implements AutoCloseable {
  /** The id of the character device that our monitor is on. */
  static final String MONITOR = "vmckpt-qmp";

  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final long LOOK_AGAIN_MILLIS = 5;
  private static final int MOST_WORDS = 4000;

  private final Process process;
  private final Path words;
  private final Qmp qmp;
  private final LifeLine lifeLine;
  private boolean released;

  private QemuProcess(Process process, Path words, Qmp qmp, LifeLine lifeLine) {
    this.process = process;
    this.lifeLine = lifeLine;
    this.words = words;
    this.qmp = qmp;
  }

  /**
   * Starts it, in a session of its own so that no Ctrl-C meets it.
   *
   * @param arguments all but the program and the monitor
   * @param from the folder that it works in
   * @param folder for its monitor and its words; what is there of both is replaced
   * @throws FailureException with its own words if it ends or does not answer
   */
  static QemuProcess start(String binary, List<String> arguments, Path from, Path folder) {
    Path socket = folder.resolve("qmp");
    Path words = folder.resolve("stderr");
    List<String> command = new ArrayList<>(List.of("setsid", binary));
    command.addAll(arguments);
    command.addAll(
        List.of(
            "-chardev",
            "socket,id="
                + MONITOR
                + ",server=on,wait=off,path="
                + socket.toString().replace(",", ",,"),
            "-mon",
            "chardev=" + MONITOR + ",mode=control"));
    LifeLine lifeLine = LifeLine.make();
    Process process = null;
    boolean done = false;
    try {
      Files.deleteIfExists(socket);
      process =
          new ProcessBuilder(command)
              .directory(from.toFile())
              .redirectInput(Path.of("/dev/null").toFile())
              .redirectErrorStream(true)
              .redirectOutput(words.toFile())
              .start();
      lifeLine.hold(process);
      QemuProcess started =
          new QemuProcess(process, words, connect(process, socket, words), lifeLine);
      done = true;
      return started;
    } catch (IOException e) {
      throw new FailureException(binary + " cannot be started: " + e.getMessage(), e);
    } finally {
      if (!done) {
        if (process != null) {
          end(process);
        }
        lifeLine.close();
      }
    }
  }

  private static Qmp connect(Process process, Path socket, Path words) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      boolean alive = process.isAlive();
      if (Files.exists(socket)) {
        try {
          return Qmp.connect(socket, PATIENCE);
        } catch (QmpConnectException e) {
          // It has bound its socket and does not listen yet.
          if (!alive) {
            throw new FailureException("QEMU ended at once: " + said(words), e);
          }
        } catch (QmpException e) {
          throw new FailureException("QEMU does not answer: " + said(words), e);
        }
      }
      if (!alive) {
        throw new FailureException("QEMU ended at once: " + said(words));
      }
      if (System.nanoTime() > deadline) {
        throw new FailureException("QEMU does not open its monitor: " + said(words));
      }
      await(process, LOOK_AGAIN_MILLIS);
    }
  }

  /** Waits for its end, but not long. */
  private static boolean await(Process process, long millis) {
    try {
      return process.waitFor(millis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FailureException("interrupted while QEMU was started", e);
    }
  }

  int pid() {
    return (int) process.pid();
  }

  Qmp qmp() {
    return qmp;
  }

  /** What it wrote to its standard error, its end if it is long. */
  String said() {
    if (!process.isAlive()) {
      await(process, 1);
    }
    return said(words);
  }

  private static String said(Path words) {
    try {
      String all = new String(Files.readAllBytes(words), StandardCharsets.ISO_8859_1).strip();
      return all.isEmpty()
          ? "it said nothing"
          : all.substring(Math.max(0, all.length() - MOST_WORDS));
    } catch (IOException e) {
      return "its words cannot be read: " + e.getMessage();
    }
  }

  /** Lets it live on when this is closed, or we die. */
  void release() {
    lifeLine.free();
    released = true;
  }

  private static void end(Process process) {
    process.destroyForcibly();
    await(process, PATIENCE.toMillis());
  }

  @Override
  public void close() {
    qmp.close();
    if (!released) {
      end(process);
    }
    lifeLine.close();
  }
}
