// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.e2e;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the kernel tells of a stopped process and what must be the same after a restore: line by
 * line, so that a difference names itself.
 */
final class Fingerprint {
  private static final List<String> OF_THREAD =
      List.of(
          "Name",
          "State",
          "Uid",
          "Gid",
          "Groups",
          "CapInh",
          "CapPrm",
          "CapEff",
          "CapBnd",
          "CapAmb",
          "NoNewPrivs",
          "Seccomp",
          "Seccomp_filters",
          "SigBlk",
          "SigIgn",
          "SigCgt",
          "Umask",
          "Threads",
          "Cpus_allowed_list",
          "Mems_allowed_list",
          "Speculation_Store_Bypass");

  /** What goes on while a process is stopped, or is named differently in every kernel. */
  private static final List<String> MOVING =
      List.of("mnt_id", "ino", "ticks", "it_value", "lock", "eventfd-id");

  private static final String DELETED = " (deleted)";

  private Fingerprint() {}

  static List<String> of(int pid, int innerPid) {
    List<String> lines = new ArrayList<>();
    Path process = Path.of("/proc", Integer.toString(pid));
    for (String tid : sorted(process.resolve("task"))) {
      threads(process.resolve("task").resolve(tid), lines);
    }
    lines.addAll(text(process.resolve("limits")).lines().toList());
    lines.add("coredump_filter " + text(process.resolve("coredump_filter")).strip());
    lines.add("oom_score_adj " + text(process.resolve("oom_score_adj")).strip());
    lines.add("cmdline " + text(process.resolve("cmdline")).replace('\0', ' '));
    lines.add("environ " + text(process.resolve("environ")).replace('\0', ' '));
    lines.add("auxv " + Arrays.hashCode(bytes(process.resolve("auxv"))));
    lines.add("exe " + link(process.resolve("exe")));
    lines.add("cwd " + link(process.resolve("cwd")));
    for (String line : text(process.resolve("timers")).lines().toList()) {
      lines.add("timer " + line.replace("pid." + pid, "pid." + innerPid));
    }
    for (String fd : sorted(process.resolve("fd"))) {
      descriptor(process, fd, lines);
    }
    lines.addAll(areas(text(process.resolve("maps"))));
    return lines;
  }

  /** The lines that only one of two fingerprints has. */
  static List<String> difference(List<String> before, List<String> after) {
    List<String> lost = new ArrayList<>(before);
    List<String> gained = new ArrayList<>();
    for (String line : after) {
      if (!lost.remove(line)) {
        gained.add("after:  " + line);
      }
    }
    lost.replaceAll(line -> "before: " + line);
    lost.addAll(gained);
    return lost;
  }

  private static void threads(Path task, List<String> lines) {
    Map<String, String> status = new TreeMap<>();
    for (String line : text(task.resolve("status")).lines().toList()) {
      int colon = line.indexOf(':');
      status.put(line.substring(0, colon), line.substring(colon + 1).strip());
    }
    String numbers = status.getOrDefault("NSpid", "");
    String number = numbers.substring(numbers.lastIndexOf('\t') + 1);
    for (String key : OF_THREAD) {
      lines.add("thread " + number + " " + key + " " + status.get(key));
    }
    lines.add("thread " + number + " slack " + optional(task, "timerslack_ns"));
    String[] stat = text(task.resolve("stat")).replaceFirst("^.*\\) ", "").split(" ", -1);
    // priority, nice; rt_priority, policy: fields 18, 19, 40 and 41 of proc_pid_stat(5)
    lines.add(
        "thread "
            + number
            + " priority "
            + stat[15]
            + " "
            + stat[16]
            + " "
            + stat[37]
            + " "
            + stat[38]);
  }

  private static String optional(Path folder, String name) {
    Path file = folder.resolve(name);
    return Files.exists(file) ? text(file).strip() : "";
  }

  private static void descriptor(Path process, String fd, List<String> lines) {
    String target = link(process.resolve("fd").resolve(fd));
    // Numbers of inodes are new.
    lines.add(
        "fd "
            + fd
            + " "
            + (target.endsWith(DELETED) ? DELETED : target.replaceAll("\\[[0-9]+\\]", "[]")));
    for (String line : text(process.resolve("fdinfo").resolve(fd)).lines().toList()) {
      int colon = line.indexOf(':');
      String key = colon < 0 ? line : line.substring(0, colon);
      if (!MOVING.contains(key)) {
        // An epoll entry that has fired its only shot cannot be made without EPOLLERR and EPOLLHUP.
        lines.add(
            "fd "
                + fd
                + " "
                + line.replaceAll("(ino|sdev):\\S+", "").replace("40000018", "40000000"));
      }
    }
  }

  /**
   * Areas with their protection and file; neighbours of private memory that look the same are one,
   * and memory that still lies in an image, or was a memfd's, is private memory. A file that was
   * put back in place has replaced the mapped one.
   */
  private static List<String> areas(String maps) {
    List<String> lines = new ArrayList<>();
    long start = 0;
    long end = -1;
    String kind = "";
    for (String line : maps.lines().toList()) {
      String[] words = line.split(" +", 6);
      String path = words.length > 5 ? words[5] : "";
      boolean memory =
          path.contains("/store/")
              || path.isEmpty()
              || path.equals("[heap]")
              || (path.startsWith("/memfd:") && words[1].endsWith("p"));
      String file =
          path.endsWith(DELETED) && !path.startsWith("/memfd:") && !path.startsWith("/dev/")
              ? path.substring(0, path.length() - DELETED.length())
              : path;
      String what = words[1] + " " + (memory ? "memory" : file);
      int dash = words[0].indexOf('-');
      long from = Long.parseUnsignedLong(words[0].substring(0, dash), 16);
      long to = Long.parseUnsignedLong(words[0].substring(dash + 1), 16);
      if (from == end && what.equals(kind)) {
        end = to;
        continue;
      }
      if (end >= 0) {
        lines.add("area " + Long.toHexString(start) + "-" + Long.toHexString(end) + " " + kind);
      }
      start = from;
      end = to;
      kind = what;
    }
    lines.add("area " + Long.toHexString(start) + "-" + Long.toHexString(end) + " " + kind);
    return lines;
  }

  private static List<String> sorted(Path folder) {
    String[] names = folder.toFile().list();
    List<String> found = new ArrayList<>(Arrays.asList(names == null ? new String[0] : names));
    found.sort((a, b) -> Integer.compare(Integer.parseInt(a), Integer.parseInt(b)));
    return found;
  }

  private static String link(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(Path file) {
    return new String(bytes(file), StandardCharsets.ISO_8859_1);
  }
}
