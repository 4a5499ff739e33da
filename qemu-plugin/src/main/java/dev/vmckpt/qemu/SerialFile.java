// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import dev.vmckpt.qemu.options.CommandLine;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionValue;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The file that a QEMU's first serial console goes to, by its command line: {@code -serial
 * file:PATH}, or {@code -serial chardev:ID} and devices with {@code chardev=ID} of a {@code
 * -chardev file} or one with a {@code logfile}.
 */
final class SerialFile {
  private SerialFile() {}

  /**
   * Finds it.
   *
   * @param directory what relative paths are relative to
   */
  static Optional<Path> of(CommandLine line, Path directory) {
    Map<String, String> files = new HashMap<>();
    for (Option option : line.all("chardev")) {
      OptionValue chardev = option.keys();
      String file = chardev.first("backend").equals("file") ? chardev.get("path") : null;
      file = file == null ? chardev.get("logfile") : file;
      if (file != null) {
        files.put(chardev.text("id"), file);
      }
    }
    for (Option option : line.options()) {
      String file = file(option, files);
      if (!file.isEmpty()) {
        try {
          return Optional.of(directory.resolve(file));
        } catch (InvalidPathException e) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  private static String file(Option option, Map<String, String> files) {
    String value = option.text();
    boolean serial = option.name().equals("serial");
    if (serial && value.startsWith("file:")) {
      return value.substring("file:".length());
    }
    String chardev = "";
    if (serial && value.startsWith("chardev:")) {
      chardev = value.substring("chardev:".length());
    } else if (option.name().equals("device")) {
      OptionValue device = option.keys();
      String driver = device.first("driver");
      if (driver.contains("serial") || driver.contains("console")) {
        chardev = device.text("chardev");
      }
    }
    return files.getOrDefault(chardev, "");
  }
}
