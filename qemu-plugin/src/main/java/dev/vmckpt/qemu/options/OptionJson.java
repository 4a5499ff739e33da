// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.options;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** The value of an option of QEMU that is written as a JSON object. */
public final class OptionJson {
  private OptionJson() {}

  /** Whether a value is written so. */
  public static boolean is(String text) {
    return text.startsWith("{");
  }

  /** Reads it; one that is no JSON, which QEMU would not have taken, has no keys. */
  public static ObjectNode read(String text) {
    try {
      JsonNode tree = new ObjectMapper().readTree(text);
      if (tree instanceof ObjectNode object) {
        return object;
      }
    } catch (JsonProcessingException e) {
      // As below.
    }
    return JsonNodeFactory.instance.objectNode();
  }

  /** The same with another value for a key. */
  public static String with(String text, String key, String value) {
    return read(text).put(key, value).toString();
  }
}
