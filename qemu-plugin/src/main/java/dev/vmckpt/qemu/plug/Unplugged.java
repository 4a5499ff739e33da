// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpException;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Devices that are off their machine. */
public final class Unplugged {
  /** What is refused if it cannot be done, for messages. */
  public static final String UNPLUGGING = "unplugging for the snapshot";

  private final int pid;
  private final PlugMark mark;

  private Unplugged(int pid, PlugMark mark) {
    this.pid = pid;
    this.mark = mark;
  }

  /**
   * Prepares for devices to be unplugged: whoever looks knows from now on what they are made of.
   *
   * @param pid the QEMU
   * @param qmp its monitor
   * @param guard is told what plugs them in, in a line
   * @throws QmpException if QEMU does not answer
   */
  public static Unplugged prepare(
      int pid, Qmp qmp, List<PluggedDevice> devices, Consumer<String> guard) {
    PlugMark mark = PlugMark.own(devices);
    guard.accept(mark.lastWords());
    try {
      mark.set(qmp);
    } catch (QmpErrorException e) {
      // One that has no such objects: the guard is left.
    }
    return new Unplugged(pid, mark);
  }

  /**
   * Unplugs them. If it fails some may be unplugged already: {@link #plugAgain} is for all.
   *
   * @throws RefusedException if one cannot be unplugged
   * @throws QmpException if QEMU does not answer
   */
  public void takeOff(Qmp qmp) {
    for (PluggedDevice device : mark.devices()) {
      try {
        device.unplug(qmp);
      } catch (FailureException e) {
        throw new RefusedException(
            UNPLUGGING,
            List.of(
                new Refusal(
                    "device " + device.id(),
                    String.valueOf(e.getMessage()),
                    "unplug it from inside the guest, or take the snapshot without --unplug")));
      }
    }
  }

  /** Their mark, which tells all of them. */
  public PlugMark mark() {
    return mark;
  }

  /**
   * Plugs them in again.
   *
   * @throws FailureException naming those that could not be; the others are plugged in
   * @throws QmpException if QEMU does not answer
   */
  public void plugAgain(Qmp qmp) {
    plug(pid, qmp, mark.devices());
    mark.tryRemove(qmp);
  }

  /**
   * Plugs in what was unplugged for the snapshot that a QEMU was restored from. Done with, whether
   * it can be plugged in or not.
   *
   * @param was what was unplugged
   * @param wished what is to be plugged in instead
   * @throws FailureException naming those that could not be; the others are plugged in
   * @throws QmpException if QEMU does not answer
   */
  public static void plug(int pid, Qmp qmp, PlugMark was, PlugMark wished) {
    try {
      plug(pid, qmp, wished.devices());
      for (PluggedDevice device : wished.devices()) {
        if (!was.devices().contains(device)) {
          PlugMark.note(qmp, device);
        }
      }
    } finally {
      was.tryRemove(qmp);
    }
  }

  private static void plug(int pid, Qmp qmp, List<PluggedDevice> devices) {
    List<String> failed = new ArrayList<>();
    for (PluggedDevice device : devices) {
      try {
        device.plug(pid, qmp);
      } catch (FailureException e) {
        failed.add(words(device, e));
      }
    }
    if (!failed.isEmpty()) {
      throw new FailureException(String.join("; ", failed));
    }
  }

  private static String words(PluggedDevice device, FailureException e) {
    return "device "
        + device.id()
        + " could not be plugged in again, so the guest goes on without it: "
        + e.getMessage();
  }

  /**
   * Plugs in what vmckpts have unplugged that do not run any more.
   *
   * @return what was done, in sentences; usually nothing
   * @throws FailureException if another vmckpt is at work here
   * @throws QmpException if QEMU does not answer
   */
  public static List<String> plugForTheDead(int pid, Qmp qmp) {
    List<String> done = new ArrayList<>();
    for (PlugMark mark : PlugMark.all(qmp)) {
      if (mark.isAlive()) {
        throw new FailureException("another vmckpt has unplugged devices: " + mark.name());
      }
      for (PluggedDevice device : mark.devices()) {
        if (!device.isThere(qmp)) {
          try {
            plug(pid, qmp, List.of(device));
            done.add(
                "a vmckpt that died had unplugged " + device.id() + ": it was plugged in first");
          } catch (FailureException e) {
            done.add("a vmckpt that died had unplugged a device: " + e.getMessage());
          }
        }
      }
      mark.tryRemove(qmp);
    }
    return done;
  }
}
