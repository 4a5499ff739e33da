// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Makes a tree of tokens as they come. Databind's own reader wants all of a message at once, and
 * its mapper takes a tenth of a second to load in a fresh JVM.
 */
final class TreeBuilder {
  private final JsonNodeFactory nodes = JsonNodeFactory.instance;
  private final Deque<ContainerNode<?>> open = new ArrayDeque<>();
  private @Nullable ObjectNode root;
  private String name = "";

  void clear() {
    open.clear();
    root = null;
    name = "";
  }

  /** The tree, once {@link #take} has said that it is whole. */
  ObjectNode root() {
    ObjectNode whole = root;
    if (whole == null) {
      throw new IllegalStateException("no object was begun");
    }
    return whole;
  }

  /** Takes the token a parser is at; returns whether the tree is whole by it. */
  boolean take(JsonToken token, JsonParser at) throws IOException {
    switch (token) {
      case FIELD_NAME -> name = at.currentName();
      case START_OBJECT -> {
        ObjectNode object = nodes.objectNode();
        if (open.isEmpty()) {
          root = object;
        } else {
          attach(object);
        }
        open.push(object);
      }
      case START_ARRAY -> {
        ArrayNode array = nodes.arrayNode();
        attach(array);
        open.push(array);
      }
      case END_OBJECT, END_ARRAY -> {
        open.pop();
        return open.isEmpty();
      }
      default -> attach(scalar(token, at));
    }
    return false;
  }

  private void attach(JsonNode node) {
    ContainerNode<?> parent = open.element();
    if (parent instanceof ObjectNode object) {
      object.set(name, node);
    } else {
      ((ArrayNode) parent).add(node);
    }
  }

  private JsonNode scalar(JsonToken token, JsonParser at) throws IOException {
    return switch (token) {
      case VALUE_STRING -> nodes.textNode(at.getText());
      case VALUE_TRUE -> nodes.booleanNode(true);
      case VALUE_FALSE -> nodes.booleanNode(false);
      case VALUE_NULL -> nodes.nullNode();
      case VALUE_NUMBER_FLOAT -> nodes.numberNode(at.getDoubleValue());
      case VALUE_NUMBER_INT ->
          switch (at.getNumberType()) {
            case INT -> nodes.numberNode(at.getIntValue());
            case LONG -> nodes.numberNode(at.getLongValue());
            // QEMU's uint64.
            default -> nodes.numberNode(at.getBigIntegerValue());
          };
      default -> throw new IllegalStateException("a token of no JSON: " + token);
    };
  }
}
