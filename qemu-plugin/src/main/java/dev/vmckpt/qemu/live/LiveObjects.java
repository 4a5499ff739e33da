// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.live;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.options.OptionValue;
import dev.vmckpt.qemu.options.OptionValue.Entry;
import dev.vmckpt.qemu.qom.Qom;
import dev.vmckpt.qmp.Qmp;
import java.util.List;
import java.util.Map;

/**
 * What {@code -object} makes, of those kinds that tell all they are made of. Others hold what they
 * keep to themselves, as the data of a secret.
 */
final class LiveObjects {
  private static final List<String> MEMORY = List.of("size", "share", "merge", "dump", "prealloc");

  /** For each kind what it is made of. */
  private static final Map<String, List<String>> KNOWN =
      Map.of(
          "memory-backend-ram", MEMORY,
          "memory-backend-memfd", MEMORY,
          "iothread", List.of("poll-max-ns", "poll-grow", "poll-shrink"),
          "rng-random", List.of("filename"),
          "rng-builtin", List.of());

  private final Qmp qmp;
  private final Map<String, String> types;

  LiveObjects(Qmp qmp) {
    this.qmp = qmp;
    types = Qom.children(qmp, Qom.OBJECTS);
  }

  boolean has(String id) {
    return types.containsKey(id);
  }

  /** Reads one back. */
  Told read(String id) {
    String type = types.getOrDefault(id, "");
    List<String> properties = KNOWN.get(type);
    String path = Qom.OBJECTS + "/" + id;
    // Pages of a kind, or of some nodes of the host: what else it is bound to is not looked at.
    boolean bound =
        Qom.get(qmp, path, "hugetlb").asBoolean() || !Qom.get(qmp, path, "host-nodes").isEmpty();
    if (properties == null || bound) {
      return Told.notEnough(type);
    }
    OptionValue value = new OptionValue(List.of(new Entry("", type))).with("id", id);
    for (String property : properties) {
      JsonNode told = Qom.get(qmp, path, property);
      if (told.isBoolean()) {
        value = value.with(property, told.asBoolean() ? "on" : "off");
      } else if (!told.isMissingNode()) {
        value = value.with(property, told.asText());
      }
    }
    return Told.by("object", value);
  }
}
