// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.spi.error.Refusal;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Options that need more than a command line to be made again. */
final class ForeignOptions {
  private static final Set<String> FOREIGN =
      Set.of("add-fd", "xen-attach", "xen-domid", "xen-domid-restrict", "preconfig", "chroot");

  private ForeignOptions() {}

  /** What keeps another QEMU from being started with the like of a command line. */
  static List<Refusal> refusals(CommandLine line) {
    List<Refusal> refusals = new ArrayList<>(line.doubts());
    for (Option option : line.options()) {
      Refusal refusal = obstacle(option);
      if (refusal != null) {
        refusals.add(refusal);
      }
    }
    return refusals;
  }

  private static @Nullable Refusal obstacle(Option option) {
    String shown = "-" + option.name() + (option.value() == null ? "" : " " + option.value());
    OptionValue value = option.keys();
    if (FOREIGN.contains(option.name())) {
      return refusal(shown, "it is made of what its starter handed to it");
    }
    if (option.name().equals("snapshot") || isOn(value.get("snapshot"))) {
      return refusal(shown, "the guest's writes are in a file without a name");
    }
    if (option.name().equals("readconfig")) {
      return refusal(shown, "what that file says is not rewritten for another QEMU");
    }
    for (String key : List.of("fd", "fds", "vhostfd", "vhostfds", "sock-fd")) {
      if (value.get(key) != null && !option.name().equals("append")) {
        return refusal(shown, "it is made of a descriptor that its starter handed to it");
      }
    }
    return null;
  }

  private static boolean isOn(@Nullable String value) {
    return value != null && (value.equals("on") || value.equals("yes"));
  }

  private static Refusal refusal(String shown, String why) {
    return new Refusal(shown, why, "restore the process as it is, without --on");
  }
}
