// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import dev.vmckpt.spi.json.JsonTree;
import dev.vmckpt.spi.json.RecordJson;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A JSON object in the making; unlike a record's, a field without a value is written as null. */
final class Fields {
  private final Map<String, @Nullable Object> fields = new LinkedHashMap<>();

  /** Adds a text, number, truth value, list, map, record or null. */
  Fields put(String name, @Nullable Object value) {
    fields.put(name, value);
    return this;
  }

  /** As an element of something bigger. */
  Map<String, @Nullable Object> map() {
    return fields;
  }

  /** As text, indented for people. */
  String toJson() {
    return RecordJson.writePretty(new JsonTree(fields));
  }
}
