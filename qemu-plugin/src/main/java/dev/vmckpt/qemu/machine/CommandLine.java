// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.spi.error.Refusal;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The argument vector of a QEMU, taken apart.
 *
 * @param program its first word
 * @param options all others, in their order, for order matters to QEMU
 * @param refusals what keeps another QEMU from being started with the like of it
 */
record CommandLine(String program, List<Option> options, List<Refusal> refusals) {
  /** These need more than a command line to be made again. */
  private static final Set<String> FOREIGN =
      Set.of("add-fd", "xen-attach", "xen-domid", "xen-domid-restrict", "preconfig", "chroot");

  /**
   * One option.
   *
   * @param name without its hyphens; the old names of some are replaced by the new
   * @param value null if it takes none
   */
  record Option(String name, @Nullable String value) {
    /** Its value, empty if it has none. */
    String text() {
      return value == null ? "" : value;
    }

    /** The same with another value. */
    Option with(String other) {
      return new Option(name, other);
    }
  }

  /** Takes an argument vector apart. What is not understood is among the refusals. */
  static CommandLine parse(List<String> arguments) {
    List<Option> options = new ArrayList<>();
    List<Refusal> refusals = new ArrayList<>();
    for (int i = 1; i < arguments.size(); i++) {
      String word = arguments.get(i);
      if (!word.startsWith("-") || word.length() < 2) {
        // A word alone is the first disk: qemu-system-x86_64 disk.img
        options.add(new Option("hda", word));
        continue;
      }
      String name = canonical(word.substring(word.startsWith("--") ? 2 : 1));
      if (!OptionTable.isKnown(name)) {
        refusals.add(
            new Refusal(
                "option " + word,
                "it is not known what it means, or whether a value follows it",
                "restore the process as it is, without --on"));
        break;
      }
      if (!OptionTable.takesValue(name)) {
        options.add(new Option(name, null));
      } else if (i + 1 < arguments.size()) {
        options.add(new Option(name, arguments.get(++i)));
      } else {
        refusals.add(new Refusal("option " + word, "its value is missing", "give it one"));
      }
    }
    for (Option option : options) {
      Refusal refusal = obstacle(option);
      if (refusal != null) {
        refusals.add(refusal);
      }
    }
    return new CommandLine(
        arguments.isEmpty() ? "" : arguments.get(0), List.copyOf(options), List.copyOf(refusals));
  }

  private static String canonical(String name) {
    return name.equals("M") ? "machine" : name;
  }

  private static @Nullable Refusal obstacle(Option option) {
    String shown = "-" + option.name() + (option.value() == null ? "" : " " + option.value());
    OptionValue value = OptionValue.parse(option.text(), true);
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

  /** The options as QEMU takes them, without the program. */
  static List<String> toArguments(List<Option> options) {
    List<String> arguments = new ArrayList<>();
    for (Option option : options) {
      arguments.add("-" + option.name());
      if (option.value() != null) {
        arguments.add(option.value());
      }
    }
    return arguments;
  }
}
