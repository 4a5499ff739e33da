// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Doctor;
import dev.vmckpt.ckpt.Feature;
import dev.vmckpt.spi.error.ExitCode;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;

/** {@code vmckpt doctor}. */
@Command(
    name = "doctor",
    description = {
      "Tries what this kernel and these privileges allow, feature by feature.",
      "Ends with 6 when something is missing without which nothing works."
    },
    footer = {"", "Example:", "  vmckpt doctor"})
final class DoctorCommand extends AbstractCommand {
  DoctorCommand(Session session) {
    super(session);
  }

  @Override
  public Integer call() {
    List<Object> features = new ArrayList<>();
    List<String> remedies = new ArrayList<>();
    Table table = new Table(session.outColors(), "FEATURE", "STATE", "WHAT WAS FOUND");
    boolean usable = true;
    for (Feature feature : Doctor.examine()) {
      features.add(feature);
      usable &= feature.available() || !feature.needed();
      String state = feature.available() ? "yes" : feature.needed() ? "MISSING" : "no";
      String style = feature.available() ? "" : feature.needed() ? "red" : "yellow";
      table.add(style, feature.name(), state, feature.detail());
      if (!feature.available() && feature.remedy() != null) {
        remedies.add("  " + feature.name() + ": " + feature.remedy());
      }
    }
    StringBuilder text = new StringBuilder(table.toString());
    if (!remedies.isEmpty()) {
      text.append("What can be done:\n").append(String.join("\n", remedies)).append('\n');
    }
    text.append(usable ? "Snapshots and restores work here." : "Snapshots do not work here.");
    print(new Fields().put("usable", usable).put("features", features), text.toString());
    return (usable ? ExitCode.DONE : ExitCode.NOT_PERMITTED).code();
  }
}
