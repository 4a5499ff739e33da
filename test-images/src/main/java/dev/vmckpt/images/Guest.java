// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.images;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A QEMU that was started with one of the guests, and the guest's serial line. */
public final class Guest implements AutoCloseable {
  private final int pid;
  private final LogFile serial;
  private final String beat;

  private Guest(int pid, LogFile serial, String beat) {
    this.pid = pid;
    this.serial = serial;
    this.beat = beat;
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
    return new Guest(number, serial, beat);
  }

  /** The number of its QEMU. */
  public int pid() {
    return pid;
  }

  /** What the guest writes. */
  public LogFile serial() {
    return serial;
  }

  /** The number of its last tick or pass; 0 before the first. */
  public long ticks() {
    return Math.max(0, serial.highest(beat));
  }

  /** Waits until it has ticked so many times more. */
  public void awaitTicks(int more) {
    serial.awaitNumber(pid, beat, ticks() + more);
  }

  /** Every line that tells of something wrong. */
  public List<String> errors() {
    List<String> errors = new ArrayList<>();
    for (String line : serial.lines()) {
      boolean wrong = line.startsWith("error") || line.contains("BAD");
      String[] words = line.split(" ", -1);
      for (int i = 0; i + 1 < words.length && line.startsWith(beat + " "); i++) {
        boolean counter = words[i].endsWith("errors") || words[i].equals("clock-jumps");
        wrong |= counter && !words[i + 1].equals("0");
      }
      if (wrong) {
        errors.add(line);
      }
    }
    return errors;
  }

  /** Whether its QEMU runs. */
  public boolean alive() {
    return Detached.alive(pid);
  }

  /** Ends it by SIGKILL and waits until it has ended. */
  public void end() {
    Detached.kill(pid);
  }

  @Override
  public void close() {
    end();
  }
}
