// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * QEMU's migration to a file: with the guest stopped, or live. The stream holds no disk, so the
 * disk is copied while the guest stands still at the end, as whoever wants to come back has to.
 */
final class Migrate implements Method {
  private final String name;
  private final Load load;
  private final boolean live;

  Migrate(String name, Load load, boolean live) {
    this.name = name;
    this.load = load;
    this.live = live;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void round(Bench bench, Samples samples) {
    Path stream = bench.work().resolve(bench.freshName() + ".stream");
    Path disk = bench.work().resolve(bench.freshName() + ".qcow2");
    try (Guest guest = Guest.boot(bench, load)) {
      bench.quiet(samples, guest.process());
      Qmp qmp = guest.qmp();
      qmp.forgetEvents();
      long begun = System.nanoTime();
      if (!live) {
        qmp.execute("stop", Map.of());
      }
      toFile(qmp, stream);
      qmp.awaitMigration();
      Bench.copyDisk(guest.disk(), disk);
      qmp.execute("cont", Map.of());
      awaitWritten(stream);
      Bench.durable(stream);
      Bench.durable(disk);
      long ended = System.nanoTime();
      samples.add(name(), "pauseMillis", qmp.pauseMillis());
      samples.add(name(), guest.console().longestSilence(begun, ended));
      samples.add(name(), "durableMillis", (ended - begun) / 1e6);
      samples.add(name(), "bytes", Bench.size(stream));
      Vmckpt.checkLater(guest, samples, name());
      guest.kill();
      if (live) {
        // A stream of a stopped guest comes back stopped.
        SaveVm.comeBack(
            bench,
            samples,
            guest,
            disk,
            name() + ", -incoming",
            List.of("-incoming", "exec:cat " + stream));
      }
    }
  }

  static void toFile(Qmp qmp, Path stream) {
    qmp.execute(
        "migrate",
        Map.of("uri", "exec:cat > " + stream + " && mv " + stream + " " + stream + ".whole"));
  }

  /** QEMU has sent everything before cat has written everything. */
  static void awaitWritten(Path stream) {
    Path whole = Path.of(stream + ".whole");
    while (!Files.exists(whole)) {
      Processes.sleep(1);
    }
    if (!whole.toFile().renameTo(stream.toFile())) {
      throw new IllegalStateException("no " + stream);
    }
  }
}
