// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** QEMU's savevm, into the qcow2 of the disk, and -loadvm. */
final class SaveVm implements Method {
  private static final String TAG = "bench";

  private final String name;
  private final Load load;

  SaveVm(String name, Load load) {
    this.name = name;
    this.load = load;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void round(Bench bench, Samples samples) {
    try (Guest guest = Guest.boot(bench, load)) {
      bench.quiet(samples, guest.process());
      guest.qmp().forgetEvents();
      long begun = System.nanoTime();
      guest.qmp().human("savevm " + TAG);
      Bench.durable(guest.disk());
      long ended = System.nanoTime();
      samples.add(name(), "pauseMillis", guest.qmp().pauseMillis());
      samples.add(name(), guest.console().longestSilence(begun, ended));
      samples.add(name(), "durableMillis", (ended - begun) / 1e6);
      samples.add(name(), "bytes", stateBytes(guest.qmp()));
      Vmckpt.checkLater(guest, samples, name());
      guest.kill();
      comeBack(bench, samples, guest, guest.disk(), name() + ", -loadvm", List.of("-loadvm", TAG));
    }
  }

  private static double stateBytes(Qmp qmp) {
    double bytes = 0;
    for (Object each : (List<?>) qmp.execute("query-named-block-nodes", Map.of())) {
      Map<?, ?> image = (Map<?, ?>) ((Map<?, ?>) each).get("image");
      if (image.get("snapshots") instanceof List<?> snapshots) {
        for (Object snapshot : snapshots) {
          bytes += ((Number) ((Map<?, ?>) snapshot).get("vm-state-size")).doubleValue();
        }
      }
    }
    return bytes;
  }

  /** Starts another QEMU and takes the time until its guest says the first word. */
  static void comeBack(
      Bench bench, Samples samples, Guest guest, Path disk, String method, List<String> how) {
    bench.quiet(samples);
    long begun = System.nanoTime();
    try (Guest again = Guest.again(guest, disk, how)) {
      long alive = again.console().awaitLife(begun);
      samples.add(method, "lifeMillis", (alive - begun) / 1e6);
      Vmckpt.checkRestored(again, samples, method, alive);
    }
  }
}
