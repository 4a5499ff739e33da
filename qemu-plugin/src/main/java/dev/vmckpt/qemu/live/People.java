// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import dev.vmckpt.qmp.Qmp;
import java.time.Duration;

/** QEMU's monitor for people, which tells what no other command does. */
final class People {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private People() {}

  /**
   * What it answers to a line.
   *
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not answer
   */
  static String ask(Qmp qmp, String line) {
    return qmp.execute("human-monitor-command", args -> args.put("command-line", line), PATIENCE)
        .asText()
        .replace("\r", "");
  }
}
