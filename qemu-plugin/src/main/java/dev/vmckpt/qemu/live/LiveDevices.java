// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.options.CommandLine.Option;
import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Devices. QEMU tells every property of one ({@code qom-get}) and what it would have been by itself
 * ({@code device-list-properties}); what differs, or has no default, is what it was made of, or
 * where QEMU has put it.
 */
final class LiveDevices {
  /** The end of the type of a processor; its model is that of {@code -cpu}. */
  private static final String PROCESSOR = "-cpu";

  /** {@code Device 0.0, Port 1, Speed 480 Mb/s, Product QEMU USB Tablet, ID: tab}. */
  private static final Pattern USB = Pattern.compile("Port ([0-9.]+), .*, ID: (\\S+)");

  private final Qmp qmp;
  private @Nullable String usb;

  LiveDevices(Qmp qmp) {
    this.qmp = qmp;
  }

  /** Whether a type is one of processors. */
  static boolean isProcessor(String type) {
    return type.endsWith(PROCESSOR);
  }

  /** Whether one came after the start of its QEMU. */
  boolean isHotPlugged(String path) {
    return Qom.get(qmp, path, "hotplugged").asBoolean();
  }

  /** The path of the bus that one sits on; empty if it sits on none. */
  String bus(String path) {
    return Qom.text(qmp, path, "parent_bus");
  }

  /**
   * Reads one back.
   *
   * @param path in QEMU's tree
   */
  Option read(String path, String type) {
    OptionValue value = new OptionValue(List.of()).with("driver", type);
    if (path.startsWith(Qom.PERIPHERAL + "/")) {
      value = value.with("id", id(path));
    }
    if (isProcessor(type)) {
      return option(place(path, value));
    }
    String bus = bus(path);
    if (!bus.isEmpty()) {
      value = value.with("bus", bus.substring(bus.lastIndexOf('/') + 1));
    }
    for (JsonNode property :
        qmp.execute("device-list-properties", args -> args.put("typename", type))) {
      String text = tell(path, property);
      if (text != null) {
        value = value.with(property.path("name").asText(), text);
      }
    }
    return option(withPort(path, value));
  }

  private static Option option(OptionValue value) {
    return new Option("device", value.toString());
  }

  private static String id(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }

  /** Where a processor sits; all else of it is the same for all. */
  private OptionValue place(String path, OptionValue value) {
    OptionValue placed = value;
    for (JsonNode each : qmp.execute("query-hotpluggable-cpus")) {
      if (each.path("qom-path").asText().equals(path)) {
        for (Map.Entry<String, JsonNode> entry : each.path("props").properties()) {
          // The node follows from the rest.
          if (!entry.getKey().equals("node-id")) {
            placed = placed.with(entry.getKey(), entry.getValue().asText());
          }
        }
      }
    }
    return placed;
  }

  /** A property as an option has it; null if it is what it would be by itself, or not for us. */
  private @Nullable String tell(String path, JsonNode property) {
    String name = property.path("name").asText();
    String type = property.path("type").asText();
    JsonNode usual = property.path("default-value");
    boolean link = type.startsWith("link<");
    boolean text = type.equals("str") || type.equals("string");
    boolean place = name.equals("addr") && type.equals("int32");
    boolean boot = name.equals("bootindex");
    if (usual.isMissingNode() && !link && !text && !place && !boot) {
      // Not a property of its making: its state, or the size of something else.
      return null;
    }
    JsonNode value = Qom.get(qmp, path, name);
    if (value.isMissingNode() || value.isContainerNode() || value.equals(usual)) {
      return null;
    }
    if (link) {
      // All others are QEMU's own.
      return value.asText().startsWith(Qom.OBJECTS + "/") ? id(value.asText()) : null;
    }
    if (boot) {
      return value.asInt(-1) < 0 ? null : value.asText();
    }
    if (place) {
      // As text it is read in hexadecimal: slot and function.
      return String.format("%x.%x", value.asInt() >> 3, value.asInt() & 7);
    }
    if (value.isBoolean()) {
      return value.asBoolean() ? "on" : "off";
    }
    // Nothing and an empty text are told alike, and differ for the file of a ROM alone: none there
    // is a ROM less.
    return value.asText().isEmpty() && !name.equals("romfile") ? null : value.asText();
  }

  /** The port that QEMU has chosen for a USB device is told to people only. */
  private OptionValue withPort(String path, OptionValue value) {
    if (!value.text("driver").startsWith("usb-") || !value.text("port").isEmpty()) {
      return value;
    }
    if (usb == null) {
      usb = People.ask(qmp, "info usb");
    }
    Matcher line = USB.matcher(usb);
    while (line.find()) {
      if (line.group(2).equals(id(path))) {
        return value.with("port", line.group(1));
      }
    }
    return value;
  }
}
