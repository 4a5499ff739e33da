// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.ckpt.Inherited;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What the launcher and Java have changed of what we were started with, so that a command can be
 * started with what our caller gave.
 *
 * <p>The launcher tells in the variable VMCKPT_CALLER what it found:
 *
 * <pre>
 * the ignored signals, hexadecimal   the soft limit of open files   ,0,1,2 …   LC_ALL as =VALUE, or - for none
 * </pre>
 */
final class Caller {
  static final String VARIABLE = "VMCKPT_CALLER";
  private static final int FACTS = 4;

  private Caller() {}

  /** What a command inherits. */
  static Inherited inherited(Map<String, String> environment) {
    String[] facts = environment.getOrDefault(VARIABLE, "").split(" ", FACTS);
    // The first thread runs no Java, and has the mask that it was started with.
    long pid = ProcessHandle.current().pid();
    long blocked = signals("/proc/self/task/" + pid + "/status", "SigBlk:");
    if (facts.length < FACTS) {
      return new Inherited(signals("/proc/self/status", "SigIgn:"), blocked, -1, Set.of(0, 1, 2));
    }
    try {
      long files = facts[1].equals("unlimited") ? -1 : Long.parseLong(facts[1]);
      return new Inherited(
          Long.parseUnsignedLong(facts[0], 16), blocked, files, descriptors(facts[2]));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(VARIABLE + " is not what the launcher writes", e);
    }
  }

  /** Without those that Java opened for itself where none of the caller's was. */
  private static Set<Integer> descriptors(String list) {
    Set<Integer> descriptors = new TreeSet<>();
    String java = System.getProperty("java.home") + File.separator;
    for (String number : list.split(",", -1)) {
      if (number.isEmpty()) {
        continue;
      }
      try {
        Path file = Files.readSymbolicLink(Path.of("/proc/self/fd/" + number));
        if (!file.toString().startsWith(java)) {
          descriptors.add(Integer.parseInt(number));
        }
      } catch (IOException e) {
        // It was the launcher's own, and is closed.
      }
    }
    return descriptors;
  }

  private static long signals(String file, String field) {
    try {
      for (String line : Files.readAllLines(Path.of(file))) {
        if (line.startsWith(field)) {
          return Long.parseUnsignedLong(line.substring(field.length()).strip(), 16);
        }
      }
    } catch (IOException e) {
      // No such thread: started in a way of its own.
    }
    return 0;
  }

  /** The variables as our caller has set them, byte by byte. */
  static List<byte[]> environment(Map<String, String> known) {
    String[] facts = known.getOrDefault(VARIABLE, "").split(" ", FACTS);
    List<byte[]> variables = new ArrayList<>();
    for (byte[] variable : bytes("/proc/self/environ")) {
      String text = new String(variable, StandardCharsets.ISO_8859_1);
      boolean ours = text.startsWith(VARIABLE + "=");
      if (!ours && !(facts.length == FACTS && text.startsWith("LC_ALL="))) {
        variables.add(variable);
      }
    }
    if (facts.length == FACTS && facts[FACTS - 1].startsWith("=")) {
      variables.add(("LC_ALL" + facts[FACTS - 1]).getBytes(StandardCharsets.UTF_8));
    }
    return variables;
  }

  /** The words of a command as they were typed, which need not be text. */
  static List<byte[]> command(List<String> words) {
    List<byte[]> all = bytes("/proc/self/cmdline");
    List<byte[]> command = new ArrayList<>();
    int first = all.size() - words.size();
    for (int i = 0; i < words.size(); i++) {
      byte[] raw = first < 0 ? new byte[0] : all.get(first + i);
      String word = words.get(i);
      // Not our own command line: run from within.
      boolean same = new String(raw, StandardCharsets.UTF_8).equals(word);
      command.add(same ? raw : word.getBytes(StandardCharsets.UTF_8));
    }
    return command;
  }

  private static List<byte[]> bytes(String file) {
    List<byte[]> list = new ArrayList<>();
    ByteArrayOutputStream one = new ByteArrayOutputStream();
    try {
      for (byte each : Files.readAllBytes(Path.of(file))) {
        if (each == 0) {
          list.add(one.toByteArray());
          one.reset();
        } else {
          one.write(each);
        }
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return list;
  }
}
