// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.vmckpt.qemu.disks.BlockGraph;
import dev.vmckpt.qemu.disks.BlockNode;
import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.qmp.Qmp;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Disks: a format in a file, or the file itself. What lies under others by the format's own word
 * comes with it.
 */
final class LiveDisks {
  private final BlockGraph graph;

  /** By the name of a node, what QEMU says of it. */
  private final Map<String, JsonNode> words = new HashMap<>();

  /** By the name of a drive, its node; empty if it has no medium. */
  private final Map<String, String> drives = new HashMap<>();

  private LiveDisks(JsonNode named, JsonNode graph, JsonNode drives) {
    this.graph = BlockGraph.of(named, graph);
    named.forEach(node -> words.put(node.path("node-name").asText(), node));
    for (JsonNode each : drives) {
      this.drives.put(
          each.path("device").asText(), each.path("inserted").path("node-name").asText());
    }
  }

  static LiveDisks read(Qmp qmp) {
    return new LiveDisks(
        qmp.execute("query-named-block-nodes", args -> args.put("flat", true)),
        qmp.execute("x-debug-query-block-graph"),
        qmp.execute("query-block"));
  }

  boolean hasDrive(String id) {
    return drives.containsKey(id);
  }

  boolean hasNode(String name) {
    return graph.tryNode(name) != null;
  }

  /**
   * Reads one back.
   *
   * @param name of a drive, or of a node
   */
  Told read(String name) {
    String top = drives.get(name);
    OptionValue nothing = new OptionValue(List.of());
    if (top == null) {
      return disk("blockdev", nothing.with("node-name", name), name);
    }
    OptionValue drive = nothing.with("if", "none").with("id", name);
    return top.isEmpty() ? Told.by("drive", drive) : disk("drive", drive, top);
  }

  private Told disk(String option, OptionValue begun, String name) {
    BlockNode node = graph.tryNode(name);
    if (node == null) {
      return Told.notEnough("");
    }
    boolean plain = BlockNode.OF_HOST.contains(node.driver());
    BlockNode file = plain ? node : graph.child(node, "file");
    // One with options of its own is told with all of them instead of a path.
    if (file == null
        || !BlockNode.OF_HOST.contains(file.driver())
        || node.file().startsWith("json:")
        || file.file().startsWith("json:")) {
      return Told.notEnough(node.driver());
    }
    boolean drive = option.equals("drive");
    String readOnly = node.readOnly() ? "on" : "off";
    OptionValue value =
        begun
            .with(drive ? "format" : "driver", drive && plain ? "raw" : node.driver())
            .with(drive ? "readonly" : "read-only", readOnly);
    if (drive) {
      value = value.with("file", file.file());
    } else if (plain) {
      value = value.with("filename", file.file());
    } else {
      value = value.with("file.driver", file.driver()).with("file.filename", file.file());
      if (!file.name().startsWith("#")) {
        value = value.with("file.node-name", file.name());
      }
    }
    return Told.by(option, switches(value, words.getOrDefault(name, MissingNode.getInstance())));
  }

  private static OptionValue switches(OptionValue value, JsonNode node) {
    return value
        .with("cache.direct", onOff(node.path("cache").path("direct")))
        .with("cache.no-flush", onOff(node.path("cache").path("no-flush")))
        .with("detect-zeroes", node.path("detect_zeroes").asText("off"));
  }

  private static String onOff(JsonNode flag) {
    return flag.asBoolean() ? "on" : "off";
  }
}
