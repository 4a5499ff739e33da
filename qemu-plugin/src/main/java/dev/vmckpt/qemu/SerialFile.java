// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
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
  static Optional<Path> of(List<String> arguments, Path directory) {
    Map<String, String> files = new HashMap<>();
    for (int i = 0; i + 1 < arguments.size(); i++) {
      if (option(arguments.get(i)).equals("-chardev")) {
        Map<String, String> chardev = MonitorPlaces.options(arguments.get(i + 1), "backend");
        String file = "file".equals(chardev.get("backend")) ? chardev.get("path") : null;
        file = file == null ? chardev.get("logfile") : file;
        if (file != null) {
          files.put(chardev.getOrDefault("id", ""), file);
        }
      }
    }
    for (int i = 0; i + 1 < arguments.size(); i++) {
      String file = file(option(arguments.get(i)), arguments.get(i + 1), files);
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

  /** QEMU takes one dash and two for the same. */
  private static String option(String argument) {
    return argument.replaceFirst("^--?", "-");
  }

  private static String file(String option, String value, Map<String, String> files) {
    if (option.equals("-serial") && value.startsWith("file:")) {
      return value.substring("file:".length());
    }
    String chardev = "";
    if (option.equals("-serial") && value.startsWith("chardev:")) {
      chardev = value.substring("chardev:".length());
    } else if (option.equals("-device")) {
      Map<String, String> device = MonitorPlaces.options(value, "driver");
      String driver = device.getOrDefault("driver", "");
      if (driver.contains("serial") || driver.contains("console")) {
        chardev = device.getOrDefault("chardev", "");
      }
    }
    return files.getOrDefault(chardev, "");
  }
}
