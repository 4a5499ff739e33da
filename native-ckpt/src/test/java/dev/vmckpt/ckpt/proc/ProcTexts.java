// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * Texts saved from real /proc directories: of a QEMU 7.2, and of a program that holds one of
 * everything (Linux 6.18).
 */
final class ProcTexts {
  private ProcTexts() {}

  static String of(String name) {
    try (InputStream in = ProcTexts.class.getResourceAsStream("/proc/" + name)) {
      return new String(Objects.requireNonNull(in, name).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All fdinfo texts of the program, by descriptor number; {@code == N} stands before each. */
  static Map<Integer, String> fdInfos() {
    Map<Integer, String> texts = new TreeMap<>();
    for (String part : of("zoo.fdinfo").split("(?m)^== ", -1)) {
      int newline = part.indexOf('\n');
      if (newline > 0) {
        texts.put(Integer.valueOf(part.substring(0, newline)), part.substring(newline + 1));
      }
    }
    return texts;
  }
}
