// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.qom;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/** QEMU's tree of objects. */
public final class Qom {
  /** Devices that have an id. */
  public static final String PERIPHERAL = "/machine/peripheral";

  /** Devices that have none. */
  public static final String ANONYMOUS = "/machine/peripheral-anon";

  /** What {@code -object} makes. */
  public static final String OBJECTS = "/objects";

  private static final String CHILD = "child<";

  /** It may be busy with what it was told before. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private Qom() {}

  /**
   * The objects right below one: for the name of each its type.
   *
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not answer, or has no object of that path
   */
  public static Map<String, String> children(Qmp qmp, String path) {
    Map<String, String> children = new LinkedHashMap<>();
    for (JsonNode each : qmp.execute("qom-list", args -> args.put("path", path), PATIENCE)) {
      String type = each.path("type").asText();
      if (type.startsWith(CHILD)) {
        children.put(each.path("name").asText(), type.substring(CHILD.length(), type.length() - 1));
      }
    }
    return children;
  }

  /**
   * A property of an object; a missing node if it has none of that name, or does not tell it.
   *
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not answer
   */
  public static JsonNode get(Qmp qmp, String path, String property) {
    try {
      return qmp.execute(
          "qom-get", args -> args.put("path", path).put("property", property), PATIENCE);
    } catch (QmpErrorException e) {
      return MissingNode.getInstance();
    }
  }

  /** The same as text; empty if there is none. */
  public static String text(Qmp qmp, String path, String property) {
    return get(qmp, path, property).asText();
  }
}
