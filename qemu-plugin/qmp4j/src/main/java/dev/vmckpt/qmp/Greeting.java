// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * What a server says of itself before anything else.
 *
 * @param major of QEMU's version, for example 7
 * @param minor of QEMU's version
 * @param micro of QEMU's version; 50 or more in a version under development
 * @param packageText what a distributor calls it, for example {@code Debian 1:7.2+dfsg-7}; may be
 *     empty
 * @param capabilities what the server offers, for example {@code oob}
 */
public record Greeting(
    int major, int minor, int micro, String packageText, Set<String> capabilities) {
  /** The capability of executing commands out of band. */
  public static final String OOB = "oob";

  /** In the place of one that somebody else has heard. */
  static final Greeting NONE = new Greeting(0, 0, 0, "", Set.of());

  /** Takes a copy. */
  public Greeting {
    capabilities = Set.copyOf(capabilities);
  }

  /** Whether the server is of that version or newer. */
  public boolean atLeast(int wantedMajor, int wantedMinor) {
    return major > wantedMajor || (major == wantedMajor && minor >= wantedMinor);
  }

  /** Reads the value of {@code "QMP"}; throws {@link IllegalArgumentException} if it is no such. */
  static Greeting of(JsonNode qmp) {
    JsonNode version = qmp.path("version").path("qemu");
    JsonNode offered = qmp.path("capabilities");
    if (!offered.isArray()) {
      throw new IllegalArgumentException("a greeting without capabilities");
    }
    Set<String> capabilities = new LinkedHashSet<>();
    for (JsonNode each : offered) {
      capabilities.add(each.asText());
    }
    return new Greeting(
        number(version, "major"),
        number(version, "minor"),
        number(version, "micro"),
        qmp.path("version").path("package").asText().strip(),
        capabilities);
  }

  private static int number(JsonNode version, String part) {
    if (!version.path(part).isInt()) {
      throw new IllegalArgumentException("a greeting without the version's " + part);
    }
    return version.path(part).intValue();
  }
}
