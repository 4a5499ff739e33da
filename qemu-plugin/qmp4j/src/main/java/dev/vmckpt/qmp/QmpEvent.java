// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.time.Instant;

/**
 * Something that happened in the server, which nobody asked for.
 *
 * @param name for example {@code STOP}
 * @param data what the event carries; an empty object if it carries nothing
 * @param seconds of the host's clock since 1970, -1 if the server could not read it
 * @param microseconds within the second, 0 to 999999, -1 if the server could not read its clock
 */
public record QmpEvent(String name, JsonNode data, long seconds, long microseconds) {
  /** The server's time, {@link Instant#EPOCH} if it could not read its clock. */
  public Instant time() {
    return seconds < 0 || microseconds < 0
        ? Instant.EPOCH
        : Instant.ofEpochSecond(seconds, microseconds * 1_000);
  }

  /** Reads a message; throws {@link IllegalArgumentException} if it is no event. */
  static QmpEvent of(JsonNode message) {
    JsonNode name = message.path("event");
    JsonNode time = message.path("timestamp");
    JsonNode data = message.path("data");
    if (!name.isTextual() || !(data.isObject() || data.isMissingNode())) {
      throw new IllegalArgumentException("an event without a name, or with data that is no object");
    }
    return new QmpEvent(
        name.textValue(),
        data.isObject() ? data : JsonNodeFactory.instance.objectNode(),
        time.path("seconds").asLong(-1),
        time.path("microseconds").asLong(-1));
  }
}
