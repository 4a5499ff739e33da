// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.libvirt;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A daemon of libvirt, which is restarted without harm to its domains: they are processes of their
 * own.
 */
final class Daemon {
  private static final Set<String> NAMES = Set.of("libvirtd", "virtqemud");
  private static final Path SYSTEMD = Path.of("/run/systemd/system");
  private static final long END_NANOS = 60_000_000_000L;
  private static final long POLL_NANOS = 20_000_000L;
  private static final int SYSTEMCTL_SECONDS = 120;

  private Daemon() {}

  /**
   * Restarts it: by systemd if that has started it, else as it was started.
   *
   * @param pidFile tells its number
   * @return why it was not; empty if it was
   */
  static String restart(Path pidFile) {
    try {
      int pid = Integer.parseInt(Files.readString(pidFile).strip());
      String name = read(pid, "comm").strip();
      if (!NAMES.contains(name)) {
        return "process " + pid + " of " + pidFile + " is none of its daemons but " + name;
      }
      Optional<String> unit = unit(read(pid, "cgroup"));
      return unit.isPresent() && Files.exists(SYSTEMD) ? restart(unit.get()) : startAgain(pid);
    } catch (IOException | NumberFormatException e) {
      return "its daemon was not found: " + e.getMessage();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "this was interrupted";
    }
  }

  /** The service of the system that a process belongs to, by /proc/PID/cgroup. */
  static Optional<String> unit(String cgroup) {
    for (String line : cgroup.split("\n", -1)) {
      String last = line.substring(line.lastIndexOf('/') + 1);
      if (line.contains(":/system.slice/") && last.endsWith(".service")) {
        return Optional.of(last);
      }
    }
    return Optional.empty();
  }

  private static String restart(String unit) throws IOException, InterruptedException {
    Process systemctl = quiet(List.of("systemctl", "restart", unit)).start();
    if (!systemctl.waitFor(SYSTEMCTL_SECONDS, TimeUnit.SECONDS)) {
      return "systemctl restart " + unit + " takes too long";
    }
    return systemctl.exitValue() == 0 ? "" : "systemctl restart " + unit + " failed";
  }

  private static String startAgain(int pid) throws IOException {
    for (String kind : List.of("mnt", "net", "pid", "user")) {
      if (!link("/proc/" + pid + "/ns/" + kind).equals(link("/proc/self/ns/" + kind))) {
        return "daemon " + pid + " runs in another namespace of kind '" + kind + "' than vmckpt";
      }
    }
    List<String> command = new ArrayList<>(List.of("setsid"));
    command.addAll(identity(read(pid, "status")));
    List<String> arguments = words(read(pid, "cmdline"));
    command.add(link("/proc/" + pid + "/exe"));
    command.addAll(arguments.subList(1, arguments.size()));
    ProcessBuilder builder = quiet(command).directory(new File(link("/proc/" + pid + "/cwd")));
    builder.environment().clear();
    for (String variable : words(read(pid, "environ"))) {
      int equals = variable.indexOf('=');
      if (equals > 0) {
        builder.environment().put(variable.substring(0, equals), variable.substring(equals + 1));
      }
    }
    ProcessHandle.of(pid).ifPresent(ProcessHandle::destroy);
    long deadline = System.nanoTime() + END_NANOS;
    while (runs(pid)) {
      if (System.nanoTime() > deadline) {
        return "daemon " + pid + " does not end";
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    builder.start();
    return "";
  }

  /** What makes a command that of the user whom /proc/PID/status tells; nothing for our own. */
  static List<String> identity(String status) {
    String user = "";
    String group = "";
    String groups = "";
    for (String line : status.split("\n", -1)) {
      String[] fields = line.split("\\s+", -1);
      switch (fields[0]) {
        case "Uid:" -> user = fields[1];
        case "Gid:" -> group = fields[1];
        case "Groups:" ->
            groups = line.substring("Groups:".length()).strip().replaceAll("\\s+", ",");
        default -> {
          // Of no concern here.
        }
      }
    }
    if (user.equals("0")) {
      return List.of();
    }
    return List.of(
        "setpriv",
        "--reuid=" + user,
        "--regid=" + group,
        groups.isEmpty() ? "--clear-groups" : "--groups=" + groups);
  }

  /** One that ended and was not waited for does not run any more. */
  private static boolean runs(int pid) {
    try {
      String stat = read(pid, "stat");
      return !stat.substring(stat.lastIndexOf(')') + 2).startsWith("Z");
    } catch (IOException gone) {
      return false;
    }
  }

  private static ProcessBuilder quiet(List<String> command) {
    return new ProcessBuilder(command)
        .redirectInput(new File("/dev/null"))
        .redirectOutput(new File("/dev/null"))
        .redirectError(new File("/dev/null"));
  }

  private static List<String> words(String text) {
    return Arrays.stream(text.split("\0", -1)).filter(word -> !word.isEmpty()).toList();
  }

  private static String read(int pid, String name) throws IOException {
    return new String(
        Files.readAllBytes(Path.of("/proc/" + pid + "/" + name)), StandardCharsets.UTF_8);
  }

  private static String link(String path) throws IOException {
    return Files.readSymbolicLink(Path.of(path)).toString();
  }
}
