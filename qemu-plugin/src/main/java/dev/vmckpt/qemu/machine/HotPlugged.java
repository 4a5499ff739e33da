// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.MachineImage.Device;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.spi.error.Refusal;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Devices that came or went while the machine ran, told by their ids: a command line does not make
 * the like of it. QEMU does not tell what a device was made of, nor its back end.
 */
final class HotPlugged {
  private static final String FOLDER = "/machine/peripheral/";
  private static final String REMEDY = "and take a snapshot then, or restore without --on";

  private HotPlugged() {}

  /**
   * What stands in the way of another QEMU.
   *
   * @param options of the command line
   * @param devices that the machine has
   */
  static List<Refusal> refusals(List<Option> options, List<Device> devices) {
    Set<String> gone = ids(options);
    List<Refusal> refusals = new ArrayList<>();
    for (Device device : devices) {
      if (device.path().startsWith(FOLDER)) {
        String id = device.path().substring(FOLDER.length());
        if (!gone.remove(id)) {
          refusals.add(
              new Refusal(
                  "device " + id + " (" + device.type() + ")",
                  "it was plugged into the running machine",
                  "unplug it " + REMEDY));
        }
      }
    }
    for (String id : gone) {
      refusals.add(
          new Refusal(
              "device " + id,
              "it is on the command line and was unplugged from the running machine",
              "plug it in again " + REMEDY));
    }
    return refusals;
  }

  private static Set<String> ids(List<Option> options) {
    Set<String> ids = new TreeSet<>();
    for (Option option : options) {
      if (option.name().equals("device") && !option.get("id").isEmpty()) {
        ids.add(option.get("id"));
      }
    }
    return ids;
  }
}
