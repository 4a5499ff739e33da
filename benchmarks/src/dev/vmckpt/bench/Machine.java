// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the figures depend on. */
final class Machine {
  private Machine() {}

  static Map<String, Object> facts(Bench bench) throws IOException {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("date", LocalDate.now().toString());
    facts.put(
        "commit",
        Processes.run(
                List.of("git", "-C", bench.root().toString(), "describe", "--always", "--dirty"))
            .output()
            .strip());
    facts.put("cpu", field(Path.of("/proc/cpuinfo"), "model name"));
    facts.put("cpus", (long) Runtime.getRuntime().availableProcessors());
    facts.put("memory", field(Path.of("/proc/meminfo"), "MemTotal"));
    facts.put("kernel", Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip());
    facts.put(
        "transparentHugePages",
        Files.readString(Path.of("/sys/kernel/mm/transparent_hugepage/enabled")).strip());
    facts.put("filesystem", Files.getFileStore(bench.work()).type());
    facts.put(
        "qemu", Processes.output("qemu-system-x86_64", "--version").lines().findFirst().orElse(""));
    facts.put(
        "vmckpt",
        Processes.output(bench.root().resolve("vmckpt").toString(), "--version")
            .lines()
            .findFirst()
            .orElse(""));
    return facts;
  }

  private static String field(Path file, String name) throws IOException {
    for (String line : Files.readAllLines(file)) {
      if (line.startsWith(name)) {
        return line.substring(line.indexOf(':') + 1).strip();
      }
    }
    return "unknown";
  }

  static String load() throws IOException {
    return Files.readString(Path.of("/proc/loadavg")).strip();
  }
}
