// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * QEMU's background-snapshot: writes are caught by userfaultfd while the guest runs. The disk of
 * that instant is not part of it, and nothing is brought back from it here.
 */
final class BackgroundSnapshot implements Method {
  @Override
  public String name() {
    return "background-snapshot";
  }

  @Override
  public void round(Bench bench, Samples samples) {
    Path stream = bench.work().resolve(bench.freshName() + ".stream");
    try (Guest guest = Guest.boot(bench, Load.linux(1024, 512))) {
      Qmp qmp = guest.qmp();
      qmp.execute(
          "migrate-set-capabilities",
          Map.of(
              "capabilities", List.of(Map.of("capability", "background-snapshot", "state", true))));
      bench.quiet(samples, guest.process());
      qmp.forgetEvents();
      long begun = System.nanoTime();
      Migrate.toFile(qmp, stream);
      qmp.awaitMigration();
      Migrate.awaitWritten(stream);
      Bench.durable(stream);
      long ended = System.nanoTime();
      samples.add(name(), "pauseMillis", qmp.pauseMillis());
      samples.add(name(), guest.console().longestSilence(begun, ended));
      samples.add(name(), "durableMillis", (ended - begun) / 1e6);
      samples.add(name(), "bytes", Bench.size(stream));
      Vmckpt.checkLater(guest, samples, name());
    } catch (RefusedByQemuException e) {
      samples.fault(name(), "not possible here: " + e.getMessage());
    }
  }
}
