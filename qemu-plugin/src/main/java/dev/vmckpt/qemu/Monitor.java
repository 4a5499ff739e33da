// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.qmp.QmpOptions;
import dev.vmckpt.spi.GuardedChannel;
import java.time.Duration;

/**
 * The monitor of a QEMU, held for one snapshot. While it keeps a guest stopped, whoever outlives us
 * lets it go on if we die.
 */
final class Monitor implements AutoCloseable {
  /** Until a monitor has greeted us: it is on this host, and either free or somebody's. */
  static final Duration GREETING = Duration.ofMillis(1500);

  /** Until a command is done: to stop a guest writes out what its disks have not yet. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final String LAST = "vmckpt-died";
  private static final String GO_ON = "{\"execute\":\"cont\",\"id\":\"" + LAST + "\"}";

  private final GuardedChannel channel;
  private final Qmp qmp;

  private Monitor(GuardedChannel channel, Qmp qmp) {
    this.channel = channel;
    this.qmp = qmp;
  }

  /**
   * Meets the monitor.
   *
   * @param channel connected to it; closed with this, also if there comes to be none
   * @throws QmpException if it does not greet us in time, or does not speak QMP
   */
  static Monitor meet(GuardedChannel channel) {
    boolean done = false;
    try {
      Qmp qmp = Qmp.adopt(channel, QmpOptions.DEFAULT.withTimeout(GREETING));
      done = true;
      return new Monitor(channel, qmp);
    } finally {
      if (!done) {
        channel.close();
      }
    }
  }

  Qmp qmp() {
    return qmp;
  }

  /** Whether the guest runs. */
  boolean running() {
    JsonNode status = qmp.execute("query-status", none -> {}, PATIENCE);
    return status.path("running").asBoolean();
  }

  /** Stops the guest: its disks are written out, its clock stands still. */
  void stop() {
    channel.setLastWords(GO_ON, LAST);
    qmp.execute("stop", none -> {}, PATIENCE);
  }

  /** Lets the guest go on. */
  void goOn() {
    qmp.execute("cont", none -> {}, PATIENCE);
    channel.setLastWords("", "");
  }

  /** Lets the guest go on where it is not known whether it was stopped. */
  void tryGoOn() {
    try {
      qmp.submit("cont");
    } catch (QmpException e) {
      // Nobody hears us; what was wrong is being told.
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
