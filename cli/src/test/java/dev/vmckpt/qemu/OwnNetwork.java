// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.kit.Commands;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A network namespace with a bridge at 10.0.2.2, and a view of /sys that belongs to it. All of it
 * goes with the last process in it.
 */
final class OwnNetwork implements AutoCloseable {
  private static final String MAKE =
      "mount -t sysfs sys /sys && ip link set lo up && ip link add br0 type bridge"
          + " && ip addr add 10.0.2.2/24 dev br0 && ip link set br0 up && echo ready && exec cat";

  private final Peer holder;

  OwnNetwork(Path folder) throws Exception {
    holder = new Peer(folder, "unshare", "-n", "-m", "sh", "-c", MAKE);
    holder.hear("ready");
  }

  /** What executes its arguments there. */
  List<String> enter() {
    return List.of("nsenter", "-t", "" + holder.pid(), "-n", "-m");
  }

  /** Runs a program there to its end, which must be a good one. */
  String run(String... command) throws Exception {
    List<String> all = new ArrayList<>(enter());
    all.addAll(Arrays.asList(command));
    return Commands.execute(all.toArray(new String[0]));
  }

  /** Waits until an address answers. */
  void awaitPing(String address) {
    Health.await(
        "an answer of " + address,
        () -> {
          try {
            return run("sh", "-c", "busybox ping -c 1 -W 1 " + address + " || echo lost")
                .contains(" 1 packets received");
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        });
  }

  @Override
  public void close() {
    holder.close();
  }
}
