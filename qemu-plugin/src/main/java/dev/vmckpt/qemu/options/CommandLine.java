// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.options;

import dev.vmckpt.spi.error.Refusal;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The argument vector of a QEMU, taken apart.
 *
 * @param program its first word
 * @param options all others, in their order, for order matters to QEMU
 * @param doubts words that were not understood: what stands behind them may have been taken wrongly
 */
public record CommandLine(String program, List<Option> options, List<Refusal> doubts) {
  /**
   * One option.
   *
   * @param name without its hyphens; the old names of some are replaced by the new
   * @param value null if it takes none
   */
  public record Option(String name, @Nullable String value) {
    /** Its value, empty if it has none. */
    public String text() {
      return value == null ? "" : value;
    }

    /** The keys of its value; the first may be left out. */
    public OptionValue keys() {
      return OptionValue.parse(text(), true);
    }

    /** By what others name the part that it makes; empty if they cannot. */
    public String id() {
      return get(name.equals("blockdev") ? "node-name" : "id");
    }

    /** The value of one of its keys, however it is written; empty if there is none. */
    public String get(String key) {
      return OptionJson.is(text()) ? OptionJson.read(text()).path(key).asText() : keys().text(key);
    }

    /** The same of the key that may be left out where it comes first. */
    public String first(String key) {
      return OptionJson.is(text()) ? get(key) : keys().first(key);
    }

    /** The same with another value. */
    public Option with(String other) {
      return new Option(name, other);
    }

    /** The same with another value of one of its keys. */
    public Option with(String key, String other) {
      return with(
          OptionJson.is(text())
              ? OptionJson.with(text(), key, other)
              : keys().with(key, other).toString());
    }
  }

  /** The words that a process was started with; none if it is gone, or not ours to see. */
  public static List<String> wordsOf(int pid) {
    try {
      byte[] bytes = Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline"));
      String[] words = new String(bytes, StandardCharsets.UTF_8).split("\0", -1);
      // Each ends in a zero, the last too.
      return List.copyOf(Arrays.asList(words).subList(0, words.length - 1));
    } catch (IOException e) {
      return List.of();
    }
  }

  /** What relative paths of a process are relative to. */
  public static Path directoryOf(int pid) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/" + pid + "/cwd"));
    } catch (IOException e) {
      return Path.of("/");
    }
  }

  /** That of a process; without options if it cannot be seen. */
  public static CommandLine of(int pid) {
    return parse(wordsOf(pid));
  }

  /** Takes an argument vector apart. */
  public static CommandLine parse(List<String> arguments) {
    List<Option> options = new ArrayList<>();
    List<Refusal> doubts = new ArrayList<>();
    for (int i = 1; i < arguments.size(); i++) {
      String word = arguments.get(i);
      if (!word.startsWith("-") || word.length() < 2) {
        // A word alone is the first disk: qemu-system-x86_64 disk.img
        options.add(new Option("hda", word));
        continue;
      }
      String name = canonical(word.substring(word.startsWith("--") ? 2 : 1));
      boolean more = i + 1 < arguments.size();
      boolean valued = OptionTable.takesValue(name);
      if (!OptionTable.isKnown(name)) {
        doubts.add(
            new Refusal(
                "option " + word,
                "it is not known what it means, or whether a value follows it",
                "restore the process as it is, without --on"));
        valued = more && !arguments.get(i + 1).startsWith("-");
      } else if (valued && !more) {
        doubts.add(new Refusal("option " + word, "its value is missing", "give it one"));
        break;
      }
      options.add(new Option(name, valued ? arguments.get(++i) : null));
    }
    return new CommandLine(
        arguments.isEmpty() ? "" : arguments.get(0), List.copyOf(options), List.copyOf(doubts));
  }

  private static String canonical(String name) {
    return name.equals("M") ? "machine" : name;
  }

  /** Whether the program is a QEMU, by its name. */
  public boolean isQemu() {
    return program.substring(program.lastIndexOf('/') + 1).contains("qemu");
  }

  /** The options of a name, in their order. */
  public List<Option> all(String name) {
    List<Option> found = new ArrayList<>();
    for (Option option : options) {
      if (option.name().equals(name)) {
        found.add(option);
      }
    }
    return found;
  }

  /** The options as QEMU takes them, without the program. */
  public static List<String> toArguments(List<Option> options) {
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
