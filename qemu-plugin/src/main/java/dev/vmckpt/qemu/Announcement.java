// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpException;
import java.util.regex.Pattern;

/**
 * Tells networks of the outside where a guest is from now on: QEMU sends a packet (RARP) from each
 * of its network cards, a few times within a second. Bridges and switches learn from it at which of
 * their ports that is; else they would only by what the guest itself sends next.
 */
final class Announcement {
  /** A back end by which packets of the guest leave QEMU as they are. */
  private static final Pattern OUTSIDE =
      Pattern.compile("type=(tap|bridge|socket|stream|dgram|l2tpv3|vde|netmap|vhost-user)\\b");

  // As QEMU does it after a migration: milliseconds to the second round, the most between two, how
  // many, and by how much the time between them grows.
  private static final int INITIAL = 50;
  private static final int MOST = 550;
  private static final int ROUNDS = 5;
  private static final int STEP = 100;

  private Announcement() {}

  /**
   * Makes it, if a network card of the guest leads outside. Returns when the first round was sent.
   *
   * @throws QmpException if QEMU does not
   */
  static void make(Qmp qmp) {
    if (leadsOutside(networks(qmp))) {
      qmp.execute(
          "announce-self",
          args ->
              args.put("initial", INITIAL)
                  .put("max", MOST)
                  .put("rounds", ROUNDS)
                  .put("step", STEP));
    }
  }

  /** The only command that tells the kinds of back ends is one for people. */
  private static String networks(Qmp qmp) {
    return qmp.execute("human-monitor-command", args -> args.put("command-line", "info network"))
        .asText();
  }

  /** Whether {@code info network} names a back end outside. */
  static boolean leadsOutside(String networks) {
    return OUTSIDE.matcher(networks).find();
  }
}
