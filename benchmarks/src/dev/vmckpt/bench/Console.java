// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a guest says on its serial port, with the moment each piece of it appeared. The file lies in
 * memory, so that a busy disk does not look like a silent guest.
 */
final class Console implements AutoCloseable {
  private static final long LOOK_EVERY = 500_000;
  private static final Pattern TICK =
      Pattern.compile(
          "uptime \\S+ mem-errors (\\d+) disk-errors (\\d+) .* clock-jumps (\\d+)"
              + "|pass \\d+ errors (\\d+) ticks");

  private final Path file;
  private final List<Long> moments = new ArrayList<>();
  private final Thread thread;
  private boolean ready;
  private String lastTick = "";
  private volatile boolean closed;

  Console(Path file) {
    this.file = file;
    thread = new Thread(this::watch, "console");
    thread.setDaemon(true);
    thread.start();
  }

  private void watch() {
    StringBuilder line = new StringBuilder();
    ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
    try {
      while (!closed && !Files.exists(file)) {
        LockSupport.parkNanos(LOOK_EVERY);
      }
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
        while (!closed) {
          bytes.clear();
          if (channel.read(bytes) <= 0) {
            LockSupport.parkNanos(LOOK_EVERY);
            continue;
          }
          long now = System.nanoTime();
          bytes.flip();
          line.append(StandardCharsets.ISO_8859_1.decode(bytes));
          take(now, line);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private synchronized void take(long now, StringBuilder text) {
    moments.add(now);
    int end;
    while ((end = text.indexOf("\n")) >= 0) {
      String line = text.substring(0, end);
      text.delete(0, end + 1);
      if (line.startsWith("ready mem")) {
        ready = true;
      }
      if (TICK.matcher(line).find()) {
        // The self-check guest says its first pass when its memory is full.
        ready |= line.startsWith("pass ");
        lastTick = line;
      }
    }
    notifyAll();
  }

  /** Waits until the guest has filled its memory, or is no more. */
  synchronized void awaitReady(BooleanSupplier alive) {
    await(() -> ready || !alive.getAsBoolean(), 120, "was not ready");
  }

  /** The moment of the first sign of life after a moment. */
  synchronized long awaitLife(long after) {
    await(() -> !moments.isEmpty() && moments.get(moments.size() - 1) > after, 120, "said nothing");
    for (int i = moments.size() - 1; ; i--) {
      if (i == 0 || moments.get(i - 1) <= after) {
        return moments.get(i);
      }
    }
  }

  private synchronized void await(BooleanSupplier condition, int seconds, String what) {
    long deadline = System.nanoTime() + seconds * 1_000_000_000L;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("the guest " + what + " for " + seconds + " s");
      }
      try {
        wait(100);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** How long nothing was said, and how long after the begin of what was watched. */
  record Silence(double millis, double afterMillis) {}

  /** The longest time without a word between two moments. */
  synchronized Silence longestSilence(long from, long to) {
    long longest = 0;
    long begun = from;
    long last = from;
    for (long moment : moments) {
      if (moment > from) {
        long until = Math.min(moment, to);
        if (until - last > longest) {
          longest = until - last;
          begun = last;
        }
        last = moment;
      }
      if (moment >= to) {
        break;
      }
    }
    if (to - last > longest) {
      longest = to - last;
      begun = last;
    }
    return new Silence(longest / 1e6, (begun - from) / 1e6);
  }

  /** Everything the guest has found wrong so far; empty if nothing. */
  synchronized String complaint() {
    Matcher tick = TICK.matcher(lastTick);
    if (!tick.find()) {
      return "no tick";
    }
    boolean well = true;
    for (int i = 1; i <= tick.groupCount(); i++) {
      well &= tick.group(i) == null || tick.group(i).equals("0");
    }
    return well ? "" : tick.group();
  }

  @Override
  public void close() {
    closed = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
