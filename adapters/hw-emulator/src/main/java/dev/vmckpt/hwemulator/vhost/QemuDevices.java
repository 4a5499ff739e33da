// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.hwemulator.vhost;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which devices of a QEMU are served by whom, by its command line. */
final class QemuDevices {
  private static final String KIND = "vhost-user-";
  private static final Pattern COMMA = Pattern.compile("(?<!,),(?!,)");

  private QemuDevices() {}

  /**
   * A device that another process serves.
   *
   * @param type {@code vhost-user-blk-pci}
   * @param path where QEMU had called that process, absolute
   */
  record Served(String type, Path path) {
    boolean isAt(String other) {
      try {
        return path.toString().equals(other) || Files.isSameFile(path, Path.of(other));
      } catch (IOException gone) {
        return false;
      }
    }
  }

  /** All of a process; none if it cannot be looked at. */
  static List<Served> of(int pid) {
    return of(words(pid), directory(pid));
  }

  /**
   * All of a command line.
   *
   * @param directory what relative paths begin at
   */
  static List<Served> of(List<String> words, Path directory) {
    List<Served> all = new ArrayList<>();
    for (int i = 0; i + 1 < words.size(); i++) {
      String device = words.get(i + 1);
      String chardev = isOption(words.get(i), "device") ? value(device, "chardev") : "";
      String path = chardev.isEmpty() ? "" : path(chardev, words);
      if (!path.isEmpty() && value(device, "driver").startsWith(KIND)) {
        all.add(new Served(value(device, "driver"), directory.resolve(path)));
      }
    }
    return all;
  }

  /** Where a character device calls; empty if it does not. */
  private static String path(String chardev, List<String> words) {
    for (int i = 0; i + 1 < words.size(); i++) {
      String options = words.get(i + 1);
      if (isOption(words.get(i), "chardev") && value(options, "id").equals(chardev)) {
        return value(options, "path");
      }
    }
    return "";
  }

  private static boolean isOption(String word, String name) {
    return word.equals("-" + name) || word.equals("--" + name);
  }

  /** The value of a key, in either way that options are written; empty if there is none. */
  private static String value(String options, String key) {
    if (options.startsWith("{")) {
      Matcher json =
          Pattern.compile('"' + Pattern.quote(key) + "\"\\s*:\\s*\"([^\"]*)\"").matcher(options);
      return json.find() ? json.group(1) : "";
    }
    List<String> pairs = List.of(COMMA.split(options, -1));
    for (String pair : pairs) {
      if (pair.startsWith(key + "=")) {
        return pair.substring(key.length() + 1).replace(",,", ",");
      }
    }
    // -device TYPE,…
    return key.equals("driver") && !pairs.get(0).contains("=") ? pairs.get(0) : "";
  }

  /** The command line of a process; empty if it cannot be looked at. */
  private static List<String> words(int pid) {
    try {
      byte[] line = Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline"));
      return new ArrayList<>(List.of(new String(line, StandardCharsets.UTF_8).split("\0", -1)));
    } catch (IOException e) {
      return List.of();
    }
  }

  /** Where a process is. */
  private static Path directory(int pid) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/" + pid + "/cwd"));
    } catch (IOException e) {
      return Path.of("/");
    }
  }
}
