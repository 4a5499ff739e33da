// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.ProgressListener;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * Tells people how far a piece of work is: on a terminal, and once it has lasted for more than a
 * second. Until then no class of the bar is loaded.
 */
final class TerminalProgress implements ProgressListener, AutoCloseable {
  private static final long PATIENCE_NANOS = 1_000_000_000;
  private static final int USUAL_WIDTH = 80;

  private final Session session;
  private String what = "";
  private long total;
  private long done;
  private long begun;
  private @Nullable ProgressBar bar;

  TerminalProgress(Session session) {
    this.session = session;
  }

  @Override
  public void begin(String what, long totalBytes) {
    close();
    this.what = what;
    total = totalBytes;
    done = 0;
    begun = System.nanoTime();
  }

  @Override
  public void advance(long bytes) {
    done += bytes;
    if (bar == null && session.errTerminal() && System.nanoTime() - begun > PATIENCE_NANOS) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(what)
              .setInitialMax(total)
              .setUnit(" MiB", 1 << 20)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(100)
              .setConsumer(new ConsoleProgressBarConsumer(session.err(), width()))
              .clearDisplayOnFinish()
              .build();
    }
    if (bar != null) {
      bar.stepTo(done);
    }
  }

  @Override
  public void announce(String message) {
    close();
    session.err().println(Humans.plain(message));
  }

  /** Takes the bar off the terminal. */
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }

  private int width() {
    try {
      return Math.max(
          20,
          Integer.parseInt(session.environment().getOrDefault("COLUMNS", "" + USUAL_WIDTH)) - 1);
    } catch (NumberFormatException e) {
      return USUAL_WIDTH - 1;
    }
  }
}
