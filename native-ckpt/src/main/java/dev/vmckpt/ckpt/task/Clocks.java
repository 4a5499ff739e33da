// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.task;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.ckpt.raw.Sys;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Husk;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.image.ClocksImage;
import dev.vmckpt.spi.remote.Nr;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The clocks that go on where they were: by a time namespace (time_namespaces(7)). */
public final class Clocks {
  private static final int CLONE_NEWTIME = 0x80;
  private static final int O_CLOEXEC = 02000000;
  private static final int REALTIME = 0;
  private static final int MONOTONIC = 1;
  private static final int BOOTTIME = 7;
  private static final long NANOS = 1_000_000_000;

  private Clocks() {}

  /** Reads them as the target sees them, inside its own time namespace. Stands in the pause. */
  public static ClocksImage capture(BorrowedThread borrowed) {
    return new ClocksImage(
        remote(borrowed, MONOTONIC), remote(borrowed, BOOTTIME), remote(borrowed, REALTIME));
  }

  private static long remote(BorrowedThread borrowed, int clock) {
    borrowed.call("clock_gettime", "a clock", Nr.CLOCK_GETTIME, clock, borrowed.scratch().value());
    ByteBuffer time =
        ByteBuffer.wrap(borrowed.read(borrowed.scratch(), 16)).order(ByteOrder.LITTLE_ENDIAN);
    return time.getLong(0) * NANOS + time.getLong(8);
  }

  private static long ours(int clock) {
    NativeBuffer time = new NativeBuffer(16);
    Sys.call("clock_gettime", "a clock", Nr.CLOCK_GETTIME, clock, time.address(), 0);
    return time.bytes().getLong(0) * NANOS + time.bytes().getLong(8);
  }

  /**
   * Lets a husk enter a time namespace of its own in which its clocks go on where they were. It
   * must have one thread only, and its vDSO. As late as possible: from here on its clocks run.
   *
   * @return false if there are no time namespaces here, or no privilege to make one: the clocks
   *     jump then
   */
  public static boolean tryContinue(Husk husk, ClocksImage image) {
    if (husk.tryCall(Nr.UNSHARE, CLONE_NEWTIME) != 0) {
      return false;
    }
    setOffsets(husk.pid(), image);
    String path = "/proc/" + husk.pid() + "/ns/time_for_children";
    int namespace = husk.open(path, O_CLOEXEC);
    husk.call("setns", path, Nr.SETNS, namespace, CLONE_NEWTIME);
    husk.call("close", path, Nr.CLOSE, namespace);
    return true;
  }

  private static void setOffsets(int pid, ClocksImage image) {
    long monotonic = image.monotonicNanos() - ours(MONOTONIC) + ownOffset("monotonic");
    long boottime = image.boottimeNanos() - ours(BOOTTIME) + ownOffset("boottime");
    String text = line("monotonic", monotonic) + line("boottime", boottime);
    try {
      Files.write(
          Path.of("/proc/" + pid + "/timens_offsets"), text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new FailureException("the clocks of the restored process cannot be set", e);
    }
  }

  private static String line(String clock, long nanos) {
    return clock + " " + Math.floorDiv(nanos, NANOS) + " " + Math.floorMod(nanos, NANOS) + "\n";
  }

  /** Our own clocks may be shifted as well; offsets are counted from the machine's. */
  private static long ownOffset(String clock) {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/timens_offsets"))) {
        String[] words = line.trim().split("\\s+", -1);
        if (words.length == 3 && words[0].equals(clock)) {
          return Long.parseLong(words[1]) * NANOS + Long.parseLong(words[2]);
        }
      }
    } catch (IOException | NumberFormatException none) {
      // A kernel without time namespaces: nothing is shifted.
      return 0;
    }
    return 0;
  }
}
