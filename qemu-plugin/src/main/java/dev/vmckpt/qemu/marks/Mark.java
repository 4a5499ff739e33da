// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.marks;

import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import java.util.ArrayList;
import java.util.List;

/**
 * An object in a QEMU that tells who has stopped its guest, or done something else with it: should
 * that one end, and with it the guard that would have undone it, then the next who meets the
 * monitor knows.
 *
 * @param name its id there, the {@linkplain PartName#mark mark} of who stopped the guest
 */
public record Mark(String name) {
  /** That of this process. */
  public static Mark own() {
    return new Mark(PartName.own(0).mark());
  }

  /** All that are set. */
  public static List<Mark> all(Qmp qmp) {
    List<Mark> marks = new ArrayList<>();
    for (String name : Qom.children(qmp, Qom.OBJECTS).keySet()) {
      PartName whose = PartName.tryRead(name);
      if (whose != null && whose.mark().equals(name)) {
        marks.add(new Mark(name));
      }
    }
    return marks;
  }

  /** Whether the process it tells of is there. */
  public boolean isAlive() {
    PartName whose = PartName.tryRead(name);
    return whose != null && whose.isOwnerAlive();
  }

  /**
   * Sets it.
   *
   * @throws QmpErrorException if this QEMU has no objects of the kind
   */
  public void set(Qmp qmp) {
    set(qmp, "");
  }

  /** The same with a text that goes with it. */
  public void set(Qmp qmp, String text) {
    // An object of a kind that does nothing by itself and wants no more than a name and a text.
    qmp.execute(
        "object-add", args -> args.put("qom-type", "secret").put("id", name).put("data", text));
  }

  /** Removes it if it is set. */
  public void tryRemove(Qmp qmp) {
    try {
      qmp.execute("object-del", args -> args.put("id", name));
    } catch (QmpErrorException notThere) {
      // As wished.
    }
  }

  /** What lets the guest go on and removes it, in a line; the answer to its end has the name. */
  public String lastWords() {
    return "{\"execute\":\"cont\"} " + removing();
  }

  /** What removes it, as a command; the answer has the name. */
  public String removing() {
    return "{\"execute\":\"object-del\",\"arguments\":{\"id\":\""
        + name
        + "\"},\"id\":\""
        + name
        + "\"}";
  }
}
