// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.plug;

import dev.vmckpt.qemu.marks.Mark;
import dev.vmckpt.qemu.marks.PartName;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.json.RecordJson;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An object in a QEMU that tells which devices were unplugged for a snapshot, and what they are
 * made of: it goes into the snapshot too, and whoever looks next can plug them in.
 *
 * @param name its id there, the {@linkplain PartName#plug name} of who unplugged them
 * @param devices in the order they were unplugged
 */
public record PlugMark(String name, List<PluggedDevice> devices) {
  /** The beginning of the name of what is no mark: it stays for as long as QEMU lives. */
  private static final String NOTE = "vmckpt-device-";

  /** What is behind the name, as it is written there. */
  private record Text(List<PluggedDevice> devices) {}

  /** One of our own. */
  static PlugMark own(List<PluggedDevice> devices) {
    return new PlugMark(PartName.own(0).plug(), List.copyOf(devices));
  }

  /**
   * Writes down in QEMU what a device is made of that is made of something else than its command
   * line says.
   */
  static void note(Qmp qmp, PluggedDevice device) {
    PlugMark note = new PlugMark(NOTE + device.id(), List.of(device));
    note.tryRemove(qmp);
    note.set(qmp);
  }

  /** What was written down of a device. */
  static Optional<PluggedDevice> noted(Qmp qmp, String id) {
    return tryRead(qmp, NOTE + id).flatMap(note -> note.devices().stream().findFirst());
  }

  /** All that are set. */
  static List<PlugMark> all(Qmp qmp) {
    List<PlugMark> marks = new ArrayList<>();
    for (String name : Qom.children(qmp, Qom.OBJECTS).keySet()) {
      PartName whose = PartName.tryRead(name);
      if (whose != null && whose.plug().equals(name)) {
        tryRead(qmp, name).ifPresent(marks::add);
      }
    }
    return marks;
  }

  /** One that an older or newer vmckpt has written otherwise is left to that. */
  private static Optional<PlugMark> tryRead(Qmp qmp, String name) {
    byte[] text = Qom.text(qmp, Qom.OBJECTS + "/" + name, "data").getBytes(StandardCharsets.UTF_8);
    try {
      Text read = RecordJson.read(text, 0, text.length, Text.class, name);
      return Optional.of(new PlugMark(name, read.devices()));
    } catch (SnapshotException e) {
      return Optional.empty();
    }
  }

  /** Whether the process it tells of is there. */
  boolean isAlive() {
    return new Mark(name).isAlive();
  }

  /**
   * Sets it.
   *
   * @throws QmpErrorException if this QEMU has no objects of the kind
   */
  void set(Qmp qmp) {
    new Mark(name)
        .set(qmp, new String(RecordJson.write(new Text(devices)), StandardCharsets.UTF_8));
  }

  /** Removes it if it is set. */
  void tryRemove(Qmp qmp) {
    new Mark(name).tryRemove(qmp);
  }

  /**
   * What plugs all of them in and removes it, in a line. It may be said more than once: what is
   * there already is not made again.
   */
  public String lastWords() {
    StringBuilder words = new StringBuilder();
    for (PluggedDevice device : devices) {
      for (Part part : device.parts()) {
        words.append(part.plugging()).append(' ');
      }
    }
    return words.append(new Mark(name).removing()).toString();
  }
}
