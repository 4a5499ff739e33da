// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import java.nio.file.Path;
import java.time.Duration;

/** The example of the README, line for line; {@link ReadmeTest} compares and runs it. */
final class Example {
  private Example() {}

  public static void main(String[] args) {
    try (Qmp qmp = Qmp.connect(Path.of(args[0]), Duration.ofSeconds(10))) {
      System.out.println("QEMU " + qmp.greeting().major() + "." + qmp.greeting().minor());
      System.out.println(qmp.execute("query-status").path("status").asText());

      Pending<QmpEvent> resumed = qmp.events().expect("RESUME");
      qmp.execute("cont");
      System.out.println("runs since " + resumed.get().time());

      if (qmp.schema().hasArgument("blockdev-add", "driver")) {
        qmp.execute(
            "blockdev-add",
            disk -> disk.put("driver", "null-co").put("node-name", "disk0").put("size", 1 << 20));
      }
      try {
        qmp.execute("device_del", device -> device.put("id", "net7"));
      } catch (QmpErrorException e) {
        System.out.println(e.errorClass() + ": " + e.description());
      }
    } catch (QmpBusyException e) {
      System.out.println("somebody else holds this monitor");
    }
  }
}
