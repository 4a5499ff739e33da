// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Processes that are not children of this JVM, as those of a user are not: its reaper would take
 * the stops of a traced child. Their parent is a shell that waits for them, so that a killed one
 * frees its number at once.
 */
public final class Detached {
  private static final long DEADLINE_NANOS = 30_000_000_000L;

  /** What a shell says of a process that was killed goes nowhere. */
  private static final String[] SHELL = {
    "/bin/sh",
    "-c",
    "/bin/sh -c 'number=$0; words=$1; shift; echo $$ >\"$number\"; exec setsid \"$@\" >>\"$words\" 2>&1'"
        + " \"$@\"; exit $?",
    "sh"
  };

  private Detached() {}

  /**
   * Starts a program in a session of its own, with nothing to read and its words going to a file.
   *
   * @param words where standard output and standard error go, appended
   * @param command the program and its arguments
   * @return its pid
   */
  public static int start(Path words, List<String> command) {
    try {
      Path number = Files.createTempFile("vmckpt-pid", "");
      List<String> all = new ArrayList<>(List.of(SHELL));
      all.add(number.toString());
      all.add(words.toString());
      all.addAll(command);
      Process shell =
          new ProcessBuilder(all)
              .redirectInput(new File("/dev/null"))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      long deadline = System.nanoTime() + DEADLINE_NANOS;
      String text = Files.readString(number);
      while (!text.endsWith("\n")) {
        if (!shell.isAlive() || System.nanoTime() > deadline) {
          throw new IllegalStateException("cannot start " + command);
        }
        pause();
        text = Files.readString(number);
      }
      Files.delete(number);
      int pid = Integer.parseInt(text.strip());
      while (isStarter(pid)) {
        if (System.nanoTime() > deadline) {
          throw new IllegalStateException("cannot start " + command);
        }
        pause();
      }
      return pid;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether a process is still the shell, or setsid, that is about to execute the program. */
  private static boolean isStarter(int pid) {
    try {
      String command = Files.readString(Path.of("/proc/" + pid + "/cmdline"));
      // Nothing stands there while execve(2) has not laid out the new program's words yet.
      boolean between = command.isEmpty() && alive(pid);
      return between || command.contains("exec setsid") || command.startsWith("setsid\0");
    } catch (IOException e) {
      return false;
    }
  }

  /** The state of a process as in {@code /proc/PID/stat}; {@code 'X'} if there is none. */
  public static char state(int pid) {
    return state(Path.of("/proc/" + pid + "/stat"));
  }

  /** Waits until all threads of a process are in a state, for example {@code 'T'}. */
  public static void awaitState(int pid, char state) {
    long deadline = System.nanoTime() + DEADLINE_NANOS;
    while (!allAre(pid, state)) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("process " + pid + " is in state " + state(pid));
      }
      pause();
    }
  }

  private static boolean allAre(int pid, char state) {
    String[] threads = new File("/proc/" + pid + "/task").list();
    if (threads == null) {
      return false;
    }
    for (String thread : threads) {
      if (state(Path.of("/proc/" + pid + "/task/" + thread + "/stat")) != state) {
        return false;
      }
    }
    return true;
  }

  private static char state(Path file) {
    try {
      byte[] read = Files.readAllBytes(file);
      String stat = new String(read, StandardCharsets.ISO_8859_1);
      return stat.charAt(stat.lastIndexOf(')') + 2);
    } catch (NoSuchFileException e) {
      return 'X';
    } catch (IOException e) {
      // ESRCH: it went between open and read.
      return 'X';
    }
  }

  /** Whether a process runs, sleeps or is stopped. */
  public static boolean alive(int pid) {
    char state = state(pid);
    return state != 'X' && state != 'Z';
  }

  /** Ends a process by SIGKILL and waits until it has ended; it may be a zombie then. */
  public static void kill(int pid) {
    signal(pid, "KILL");
    long deadline = System.nanoTime() + DEADLINE_NANOS;
    while (alive(pid)) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("process " + pid + " does not end");
      }
      pause();
    }
  }

  /**
   * Sends a signal, if the process is still there.
   *
   * @param name for example {@code STOP}
   */
  public static void signal(int pid, String name) {
    if (!alive(pid)) {
      return;
    }
    try {
      new ProcessBuilder("kill", "-" + name, Integer.toString(pid))
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start()
          .waitFor();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits a little, for the next look. */
  static void pause() {
    try {
      Thread.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }
}
