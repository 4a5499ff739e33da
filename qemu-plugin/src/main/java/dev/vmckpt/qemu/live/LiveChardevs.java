// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.qemu.options.OptionValue.Entry;
import dev.vmckpt.qmp.Qmp;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Character devices, by what {@code query-chardev} has for their file names. */
final class LiveChardevs {
  /** It may be busy with what it was told before. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final String GONE = "disconnected:";
  private static final String SERVER = ",server=on";

  private final Map<String, String> names;

  private LiveChardevs(Map<String, String> names) {
    this.names = names;
  }

  static LiveChardevs read(Qmp qmp) {
    Map<String, String> names = new LinkedHashMap<>();
    for (JsonNode each : qmp.execute("query-chardev", none -> {}, PATIENCE)) {
      names.put(each.path("label").asText(), each.path("filename").asText());
    }
    return new LiveChardevs(names);
  }

  boolean has(String id) {
    return names.containsKey(id);
  }

  /** Reads one back. */
  Told read(String id) {
    return read(id, names.getOrDefault(id, ""));
  }

  /**
   * Reads one back.
   *
   * @param text its file name
   */
  static Told read(String id, String text) {
    String name = text.startsWith(GONE) ? text.substring(GONE.length()) : text;
    // Behind that is who has called.
    name = name.split(" <-> ", -1)[0];
    boolean server = name.endsWith(SERVER);
    String called = server ? name.substring(0, name.length() - SERVER.length()) : name;
    String kind = called.split(":", -1)[0];
    String place = called.substring(Math.min(called.length(), kind.length() + 1));
    return switch (kind) {
      case "null", "pty", "vc" -> Told.by("chardev", value(kind, id));
      case "unix" -> Told.by("chardev", socket(value("socket", id).with("path", place), server));
      case "tcp", "telnet" -> {
        int colon = place.lastIndexOf(':');
        if (colon < 0) {
          yield Told.notEnough(kind);
        }
        String host = place.substring(0, colon).replaceAll("^\\[|\\]$", "");
        OptionValue value =
            value("socket", id).with("host", host).with("port", place.substring(colon + 1));
        yield Told.by(
            "chardev", socket(kind.equals("telnet") ? value.with("telnet", "on") : value, server));
      }
      default -> Told.notEnough(kind);
    };
  }

  private static OptionValue value(String backend, String id) {
    return new OptionValue(List.of(new Entry("", backend))).with("id", id);
  }

  private static OptionValue socket(OptionValue socket, boolean server) {
    return server ? socket.with("server", "on").with("wait", "off") : socket;
  }
}
