// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.images.Detached;
import dev.vmckpt.images.Guest;
import dev.vmckpt.qmp.Qmp;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * A guest that is moved from one QEMU to the next: stopped, recorded, its memory read from the
 * stopped process, and the old process ended.
 *
 * @param guest as it is now
 * @param monitor of its QEMU
 * @param disk its disk, or null
 */
record Move(Guest guest, Path monitor, Path disk) implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  static Qmp connect(Path monitor) {
    return Qmp.connect(monitor, PATIENCE);
  }

  /** The options for a monitor in a folder. */
  static List<String> monitorIn(Path folder) {
    return List.of("-qmp", "unix:" + folder.resolve("first") + ",server=on,wait=off");
  }

  /** How to ask for a move to a folder of its own. */
  interface Wish {
    MachineRequest of(MachineRequest plain);
  }

  /** Moves it; the old QEMU goes on if that fails. */
  Move to(Path folder, Wish wish) throws IOException {
    Files.createDirectories(folder);
    Path copy = folder.resolve("disk");
    MachineRequest request =
        wish.of(MachineRequest.in(folder).withFiles(Map.of(disk.toString(), copy)));
    try (Qmp qmp = connect(monitor)) {
      MachineRecorder recorder = new MachineRecorder(guest.pid());
      org.assertj.core.api.Assertions.assertThat(recorder.prepare(qmp)).isEmpty();
      qmp.execute("stop");
      boolean moved = false;
      try (ProcessMemory memory = ProcessMemory.open(guest.pid(), false)) {
        long begun = System.nanoTime();
        MachineImage image = recorder.record(qmp, folder, true);
        long recorded = System.nanoTime();
        MachineStarter.Started started =
            new MachineStarter(folder)
                .start(
                    request,
                    (from, to) -> memory.tryRead(from.value(), to),
                    () -> copyDisk(disk, copy));
        System.out.printf(
            "recorded in %.1f ms, %d bytes; started in %.1f ms, %d MiB written%n",
            (recorded - begun) / 1e6,
            image.stateBytes(),
            (System.nanoTime() - recorded) / 1e6,
            started.memoryBytes() >> 20);
        moved = true;
        guest.end();
        return new Move(guest.as(started.pid()), started.monitor(), copy);
      } finally {
        if (!moved) {
          qmp.execute("cont");
        }
      }
    }
  }

  private static void copyDisk(Path from, Path to) {
    try {
      Files.copy(from, to);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    Detached.kill(guest.pid());
  }
}
