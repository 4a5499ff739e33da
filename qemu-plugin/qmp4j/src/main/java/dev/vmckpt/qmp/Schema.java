// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a server knows: its commands and events, with what each takes and returns. A version number
 * does not tell that, since distributors take things out and carry things back.
 *
 * <pre>{@code
 * Schema schema = qmp.schema();
 * if (schema.hasArgument("blockdev-mirror", "target")) ...
 * Set<String> drivers = schema.arguments("blockdev-add").at("driver").values();
 * }</pre>
 *
 * <p>Immutable. Source: QEMU's qapi/introspect.json and docs/devel/qapi-code-gen, "Client JSON
 * Protocol introspection".
 */
public final class Schema {
  private final Map<String, JsonNode> types = new HashMap<>();
  private final Map<String, JsonNode> commands = new TreeMap<>();
  private final Map<String, JsonNode> events = new TreeMap<>();

  private Schema(JsonNode answer) {
    for (JsonNode each : answer) {
      String name = each.path("name").asText();
      switch (each.path("meta-type").asText()) {
        case "command" -> commands.put(name, each);
        case "event" -> events.put(name, each);
        default -> types.put(name, each);
      }
    }
  }

  /**
   * Reads what {@code query-qmp-schema} returned.
   *
   * @throws IllegalArgumentException if it is nothing of that kind
   */
  public static Schema of(JsonNode answer) {
    Schema schema = new Schema(answer);
    if (schema.commands.isEmpty()) {
      throw new IllegalArgumentException("a schema without commands");
    }
    return schema;
  }

  /** The names of all commands, in order. */
  public Set<String> commands() {
    return new TreeSet<>(commands.keySet());
  }

  /** The names of all events, in order. */
  public Set<String> events() {
    return new TreeSet<>(events.keySet());
  }

  /** Whether the server knows a command. */
  public boolean hasCommand(String command) {
    return commands.containsKey(command);
  }

  /** Whether the server knows an event. */
  public boolean hasEvent(String event) {
    return events.containsKey(event);
  }

  /**
   * Whether a command takes an argument, or an argument has a member.
   *
   * @param path the name of the argument, or with further names of a member of a member; see {@link
   *     SchemaType#at}
   * @return false also if the server does not know the command
   */
  public boolean hasArgument(String command, String... path) {
    return hasCommand(command) && arguments(command).has(path);
  }

  /**
   * Whether a command may be executed out of band.
   *
   * @throws NoSuchElementException if the server does not know it; the message says what is near
   */
  public boolean allowsOob(String command) {
    return entity(commands, "command", command).path("allow-oob").asBoolean();
  }

  /**
   * The features of a command, for example {@code deprecated}, {@code unstable}.
   *
   * @throws NoSuchElementException if the server does not know it; the message says what is near
   */
  public Set<String> features(String command) {
    return SchemaType.names(entity(commands, "command", command).path("features"));
  }

  /**
   * What a command takes: an object.
   *
   * @throws NoSuchElementException if the server does not know it; the message says what is near
   */
  public SchemaType arguments(String command) {
    return type(
        "command " + command, entity(commands, "command", command).path("arg-type").asText());
  }

  /**
   * What a command returns.
   *
   * @throws NoSuchElementException if the server does not know it; the message says what is near
   */
  public SchemaType result(String command) {
    return type(
        "the result of " + command, entity(commands, "command", command).path("ret-type").asText());
  }

  /**
   * What an event carries: an object.
   *
   * @throws NoSuchElementException if the server does not know it; the message says what is near
   */
  public SchemaType data(String event) {
    return type("event " + event, entity(events, "event", event).path("arg-type").asText());
  }

  private static JsonNode entity(Map<String, JsonNode> known, String kind, String name) {
    JsonNode entity = known.get(name);
    if (entity == null) {
      throw new NoSuchElementException(
          "this server knows no " + kind + " " + name + Near.names(name, known.keySet()));
    }
    return entity;
  }

  private SchemaType type(String where, String name) {
    Map<String, JsonNode> one = new LinkedHashMap<>();
    JsonNode type = type(name);
    if (type != null) {
      one.put(name, type);
    }
    return new SchemaType(this, where, one);
  }

  @Nullable JsonNode type(String name) {
    return types.get(name);
  }
}
