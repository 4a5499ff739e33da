// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.images.Detached;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/** Whether a target is as if nobody had ever touched it. */
final class Health {
  private static final long PATIENCE_NANOS = 180_000_000_000L;

  private Health() {}

  /** A look that finds something wrong, or nothing. */
  interface Look {
    boolean good() throws IOException;
  }

  /** Waits until a look is good. */
  static void await(String what, Look look) {
    awaitNothing(
        what,
        () -> {
          try {
            return look.good() ? "" : "not yet";
          } catch (IOException e) {
            return e.toString();
          }
        });
  }

  private static void awaitNothing(String what, Callable<String> look) {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (true) {
      try {
        String wrong = look.call();
        if (wrong.isEmpty()) {
          return;
        }
        if (System.nanoTime() > deadline) {
          throw new AssertionError(what + ": " + wrong);
        }
        Thread.sleep(2);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(what, e);
      } catch (Exception e) {
        throw new AssertionError(what, e);
      }
    }
  }

  /** Waits until all threads of a process run untraced, and no child of it lives. */
  static void awaitUntouched(int pid) {
    awaitNothing("process " + pid, () -> wrong(pid));
  }

  private static String wrong(int pid) {
    StringBuilder wrong = new StringBuilder();
    Path tasks = Path.of("/proc/" + pid + "/task");
    List<Integer> threads = numbers(tasks);
    if (threads.isEmpty()) {
      return "gone";
    }
    for (int tid : threads) {
      try {
        for (String line : Files.readAllLines(tasks.resolve(tid + "/status"))) {
          boolean stopped = line.startsWith("State:\tT") || line.startsWith("State:\tt");
          if (stopped || (line.startsWith("TracerPid:") && !line.endsWith("\t0"))) {
            wrong.append(" thread ").append(tid).append(' ').append(line);
          }
        }
        for (String child :
            Files.readString(tasks.resolve(tid + "/children")).strip().split(" ", -1)) {
          if (!child.isEmpty() && Detached.alive(Integer.parseInt(child))) {
            wrong.append(" child ").append(child).append(" lives");
          }
        }
      } catch (IOException gone) {
        // Ended meanwhile.
      }
    }
    return wrong.toString();
  }

  /** The names in a folder that are numbers. */
  static List<Integer> numbers(Path folder) {
    List<Integer> numbers = new ArrayList<>();
    String[] names = folder.toFile().list();
    for (String name : names == null ? new String[0] : names) {
      if (Character.isDigit(name.charAt(0))) {
        numbers.add(Integer.parseInt(name));
      }
    }
    return numbers;
  }
}
