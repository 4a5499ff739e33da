// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.marks.Mark;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.qmp.QmpOptions;
import dev.vmckpt.spi.GuardedChannel;
import dev.vmckpt.spi.MonitorPassage;
import dev.vmckpt.spi.error.SyscallException;
import java.time.Duration;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The monitor of a QEMU, held for one snapshot. While it keeps a guest stopped, whoever outlives us
 * lets it go on if we die; and a {@link Mark} in QEMU says so to the next who looks.
 */
final class Monitor implements AutoCloseable {
  /** Until a monitor has greeted us: it is on this host, and either free or somebody's. */
  static final Duration GREETING = Duration.ofMillis(1500);

  /** Until a command is done: to stop a guest writes out what its disks have not yet. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /** After how many seconds a job that was cancelled has ended. */
  private static final List<Integer> FOR_JOBS = List.of(1, 2);

  /** After how many a guest has let go of a device that it was asked for. */
  static final List<Integer> FOR_GUESTS = List.of(1, 2, 4);

  private final Supplier<Monitor> again;
  private final GuardedChannel channel;
  private final Qmp qmp;
  private final Mark mark = Mark.own();
  private boolean stopped;
  private String undo = "";
  private String plugging = "";

  private Monitor(Supplier<Monitor> again, GuardedChannel channel, Qmp qmp) {
    this.again = again;
    this.channel = channel;
    this.qmp = qmp;
  }

  /**
   * Meets the monitor.
   *
   * @param connect connects to it; more than once if the first connection breaks
   * @throws QmpException if it does not greet us in time, or does not speak QMP
   * @throws SyscallException if nobody listens
   */
  static Monitor meet(Supplier<? extends GuardedChannel> connect) {
    return over(connect.get(), Qmp::adopt, GREETING, () -> meet(connect));
  }

  /**
   * Meets a monitor that somebody else holds.
   *
   * @throws QmpException if it does not answer
   */
  static Monitor meet(MonitorPassage passage) {
    return over(passage.open(), Qmp::resume, PATIENCE, () -> meet(passage));
  }

  private static Monitor over(
      GuardedChannel channel,
      BiFunction<GuardedChannel, QmpOptions, Qmp> begin,
      Duration timeout,
      Supplier<Monitor> again) {
    boolean done = false;
    try {
      Qmp qmp = begin.apply(channel, QmpOptions.DEFAULT.withTimeout(timeout));
      done = true;
      return new Monitor(again, channel, qmp);
    } finally {
      if (!done) {
        channel.close();
      }
    }
  }

  Qmp qmp() {
    return qmp;
  }

  /** By what it is known that we stopped the guest. */
  Mark mark() {
    return mark;
  }

  /** Whether the guest runs. */
  boolean running() {
    JsonNode status = qmp.execute("query-status", none -> {}, PATIENCE);
    return status.path("running").asBoolean();
  }

  /** Stops the guest: its disks are written out, its clock stands still. */
  void stop() {
    stopped = true;
    arm();
    try {
      mark.set(qmp);
    } catch (QmpErrorException e) {
      // One that has no such objects: the guard is left.
    }
    qmp.execute("stop", none -> {}, PATIENCE);
  }

  /**
   * Lets the guest go on.
   *
   * @throws QmpException if it could not be told, over this connection nor over another
   */
  void goOn() {
    certainly(
        other -> {
          other.execute("cont", none -> {}, PATIENCE);
          mark.tryRemove(other);
        });
    stopped = false;
    arm();
  }

  /**
   * Tells QEMU something over this connection, or over another one if it breaks.
   *
   * @throws QmpException if it could not be told over either
   */
  void certainly(Consumer<Qmp> words) {
    try {
      words.accept(qmp);
    } catch (QmpErrorException e) {
      throw e;
    } catch (QmpException e) {
      // What broke may have been the connection alone.
      try (Monitor other = again.get()) {
        words.accept(other.qmp);
      } catch (QmpException | SyscallException worse) {
        e.addSuppressed(worse);
        throw e;
      }
    }
  }

  /**
   * Tells what undoes all that was begun beside stopping the guest.
   *
   * @param commands in a line; said more than once, as a job does not end at once. Empty for none
   */
  void setUndo(String commands) {
    undo = commands;
    arm();
  }

  /**
   * Tells what plugs in again what was unplugged.
   *
   * @param commands in a line; said more than once, as a guest lets go of a device when it gets to
   *     it. Empty for none
   */
  void setPlugging(String commands) {
    plugging = commands;
    arm();
  }

  private void arm() {
    String words = stopped ? mark.lastWords() : "";
    if (undo.isEmpty() && plugging.isEmpty()) {
      channel.setLastWords(words, mark.name(), List.of());
    } else {
      String end = mark.name() + "u";
      String last = "{\"execute\":\"query-status\",\"id\":\"" + end + "\"}";
      channel.setLastWords(
          String.join(" ", words, plugging, undo, last),
          end,
          plugging.isEmpty() ? FOR_JOBS : FOR_GUESTS);
    }
  }

  @Override
  public void close() {
    try {
      qmp.close();
    } finally {
      channel.close();
    }
  }
}
