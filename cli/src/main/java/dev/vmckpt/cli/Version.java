// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine.IVersionProvider;

/** Which vmckpt this is. */
final class Version implements IVersionProvider {
  /** The version alone: {@code 0.1.0}. */
  static String number() {
    String text = text();
    return text.substring(text.indexOf(' ') + 1);
  }

  @Override
  public String[] getVersion() {
    return new String[] {
      text(),
      "Java " + System.getProperty("java.version") + ", Linux " + System.getProperty("os.version")
    };
  }

  private static String text() {
    try (InputStream in = Version.class.getResourceAsStream("version.txt")) {
      return in == null
          ? "vmckpt unknown"
          : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return "vmckpt unknown";
    }
  }
}
