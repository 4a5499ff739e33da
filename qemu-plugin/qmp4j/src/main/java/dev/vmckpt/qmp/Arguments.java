// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.function.Consumer;

/** The arguments of a command, as their giver fills them in. */
final class Arguments {
  private Arguments() {}

  static ObjectNode of(Consumer<? super ObjectNode> filler) {
    ObjectNode object = JsonNodeFactory.instance.objectNode();
    filler.accept(object);
    return object;
  }
}
