// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A QEMU that was started with one of the guests, and the guest's serial line. */
public final class Guest extends Watched {
  private Guest(int pid, LogFile serial, String beat) {
    super(pid, serial, beat);
  }

  /**
   * Starts the Linux guest.
   *
   * @param folder where its serial line goes, as {@code serial}
   * @param fillMib how many MiB of its memory it fills
   * @param options more options of QEMU, for example {@code -m 1024}
   */
  public static Guest linux(Path folder, int fillMib, List<String> options) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "-kernel",
                Images.vmlinuz().toString(),
                "-initrd",
                Images.initramfs().toString(),
                "-append",
                "console=ttyS0 quiet loglevel=3 vmckpt.verify=32 vmckpt.mem=" + fillMib));
    all.addAll(options);
    return start(folder, "tick", all);
  }

  /** Starts the self-check guest. */
  public static Guest selfcheck(Path folder, List<String> options) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "-cpu",
                "max",
                "-m",
                "256",
                "-drive",
                "file=" + Images.selfcheck() + ",format=raw,if=virtio,readonly=on"));
    all.addAll(options);
    return start(folder, "pass", all);
  }

  /**
   * Starts QEMU.
   *
   * @param folder where the serial line goes, as {@code serial}
   * @param beat the word that a line begins with which the guest writes over and over
   * @param options of QEMU; without an accelerator the guest is emulated
   */
  public static Guest start(Path folder, String beat, List<String> options) {
    LogFile serial = new LogFile(folder.resolve("serial"));
    List<String> command =
        new ArrayList<>(
            List.of(
                "qemu-system-x86_64",
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
                "-serial",
                "file:" + serial.path()));
    if (!options.contains("-accel")) {
      command.addAll(List.of("-accel", "tcg"));
    }
    command.addAll(options);
    return new Guest(Detached.start(folder.resolve("qemu.words"), command), serial, beat);
  }

  /** The same guest in a QEMU of another number, as after a restore. */
  public Guest as(int number) {
    return new Guest(number, log(), beat());
  }

  /** What the guest writes. */
  public LogFile serial() {
    return log();
  }

  /** The number of its last tick or pass; 0 before the first. */
  public long ticks() {
    return passes();
  }

  /** Waits until it has ticked so many times more. */
  public void awaitTicks(int more) {
    awaitPasses(more);
  }

  /** The same with more patience. */
  public void awaitTicks(int more, Duration patience) {
    awaitPasses(more, patience);
  }
}
