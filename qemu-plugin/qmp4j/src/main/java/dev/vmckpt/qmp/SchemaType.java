// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What may stand at a place: the arguments of a command, a member of them, a member of that.
 *
 * <p>Where there is a choice, of an alternate or between the variants of an object, this is all of
 * the choice: it has a member if any of them has. An array is what its elements are. So a path of
 * names is all that is needed to get anywhere; {@link #variant} narrows the choice where it
 * matters.
 *
 * <p>Immutable.
 */
public final class SchemaType {
  private final Schema schema;
  private final String where;

  /** By their names in the schema. */
  private final Map<String, JsonNode> types;

  SchemaType(Schema schema, String where, Map<String, JsonNode> types) {
    this.schema = schema;
    this.where = where;
    this.types = types;
  }

  /**
   * The kinds of JSON that may stand here: {@code object}, {@code array}, {@code string}, {@code
   * int}, {@code number}, {@code boolean}, {@code null}, {@code value} for any.
   */
  public Set<String> jsonTypes() {
    Set<String> kinds = new TreeSet<>();
    for (JsonNode each : chosen().values()) {
      switch (metaType(each)) {
        case "enum" -> kinds.add("string");
        case "builtin" -> kinds.add(each.path("json-type").asText());
        default -> kinds.add(metaType(each));
      }
    }
    return kinds;
  }

  /** The values of the enumeration that stands here, in order; empty if none does. */
  public Set<String> values() {
    Set<String> values = new TreeSet<>();
    for (JsonNode each : elements().values()) {
      if (metaType(each).equals("enum")) {
        // "values" is the older of the two.
        values.addAll(names(each.path("members")));
        values.addAll(names(each.path("values")));
      }
    }
    return values;
  }

  /** The names of all members of the objects that may stand here, in order. */
  public Set<String> members() {
    Set<String> members = new TreeSet<>();
    for (JsonNode object : objects()) {
      members.addAll(names(object.path("members")));
    }
    return members;
  }

  /** The tags that choose between variants of the objects that may stand here, in order. */
  public Set<String> variants() {
    Set<String> cases = new TreeSet<>();
    for (JsonNode object : objects()) {
      for (JsonNode variant : object.path("variants")) {
        cases.add(variant.path("case").asText());
      }
    }
    return cases;
  }

  /**
   * Only one variant of the objects that stand here, with the members common to all.
   *
   * @param tag for example {@code qcow2} for the arguments of blockdev-add
   * @throws NoSuchElementException if there is no such; the message says what is near
   */
  public SchemaType variant(String tag) {
    Map<String, JsonNode> narrowed = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> each : elements().entrySet()) {
      for (JsonNode variant : each.getValue().path("variants")) {
        if (variant.path("case").asText().equals(tag)) {
          narrowed.put(each.getKey() + " without variants", withoutVariants(each.getValue()));
          add(narrowed, variant.path("type").asText());
        }
      }
    }
    if (narrowed.isEmpty()) {
      throw new NoSuchElementException(
          where + " of this server has no variant " + tag + Near.names(tag, variants()));
    }
    return new SchemaType(schema, where + " (" + tag + ")", narrowed);
  }

  private static JsonNode withoutVariants(JsonNode object) {
    ObjectNode rest = object.deepCopy();
    rest.remove("variants");
    return rest;
  }

  /**
   * Whether there is such a member.
   *
   * @param path as for {@link #at}
   */
  public boolean has(String... path) {
    SchemaType here = this;
    for (String name : path) {
      here = here.member(name);
      if (here.types.isEmpty()) {
        return false;
      }
    }
    return true;
  }

  /**
   * What may stand at a member, or a member of a member.
   *
   * @param path names of members, outermost first; none for this itself
   * @throws NoSuchElementException if there is no such; the message says how far the path goes, and
   *     what is near
   */
  public SchemaType at(String... path) {
    SchemaType here = this;
    for (String name : path) {
      SchemaType next = here.member(name);
      if (next.types.isEmpty()) {
        throw new NoSuchElementException(
            here.where
                + " of this server has no member "
                + name
                + Near.names(name, here.members()));
      }
      here = next;
    }
    return here;
  }

  /**
   * Whether a member may be left out.
   *
   * @throws NoSuchElementException if there is no such
   */
  public boolean isOptional(String member) {
    at(member);
    for (JsonNode object : objects()) {
      for (JsonNode each : object.path("members")) {
        if (each.path("name").asText().equals(member) && !each.has("default")) {
          return false;
        }
      }
    }
    return true;
  }

  /** The features of the types that may stand here, for example {@code deprecated}. */
  public Set<String> features() {
    Set<String> features = new TreeSet<>();
    for (JsonNode each : chosen().values()) {
      features.addAll(names(each.path("features")));
    }
    return features;
  }

  /**
   * The features of a member itself, for example {@code deprecated}, {@code unstable}.
   *
   * @throws NoSuchElementException if there is no such
   */
  public Set<String> features(String member) {
    at(member);
    Set<String> features = new TreeSet<>();
    for (JsonNode object : objects()) {
      for (JsonNode each : object.path("members")) {
        if (each.path("name").asText().equals(member)) {
          features.addAll(names(each.path("features")));
        }
      }
    }
    return features;
  }

  /** Of what stands under a name in any of the objects; of no types if it stands in none. */
  private SchemaType member(String name) {
    Map<String, JsonNode> found = new LinkedHashMap<>();
    for (JsonNode object : objects()) {
      for (JsonNode each : object.path("members")) {
        if (each.path("name").asText().equals(name)) {
          add(found, each.path("type").asText());
        }
      }
    }
    return new SchemaType(schema, where + "." + name, found);
  }

  /** With the choices of alternates made. */
  private Map<String, JsonNode> chosen() {
    return expand(false);
  }

  /** And with arrays replaced by their elements. */
  private Map<String, JsonNode> elements() {
    return expand(true);
  }

  private Map<String, JsonNode> expand(boolean arrays) {
    Map<String, JsonNode> result = new LinkedHashMap<>();
    Map<String, JsonNode> seen = new LinkedHashMap<>(types);
    Deque<Map.Entry<String, JsonNode>> open = new ArrayDeque<>(types.entrySet());
    while (!open.isEmpty()) {
      Map.Entry<String, JsonNode> each = open.remove();
      Map<String, JsonNode> inner = new LinkedHashMap<>();
      if (metaType(each.getValue()).equals("alternate")) {
        for (JsonNode choice : each.getValue().path("members")) {
          add(inner, choice.path("type").asText());
        }
      } else if (arrays && metaType(each.getValue()).equals("array")) {
        add(inner, each.getValue().path("element-type").asText());
      } else {
        result.put(each.getKey(), each.getValue());
      }
      inner.keySet().removeAll(seen.keySet());
      seen.putAll(inner);
      open.addAll(inner.entrySet());
    }
    return result;
  }

  /** All objects that may stand here, those of variants too. */
  private Collection<JsonNode> objects() {
    Map<String, JsonNode> objects = new LinkedHashMap<>();
    Deque<Map.Entry<String, JsonNode>> open = new ArrayDeque<>(elements().entrySet());
    while (!open.isEmpty()) {
      Map.Entry<String, JsonNode> each = open.remove();
      if (metaType(each.getValue()).equals("object")
          && objects.put(each.getKey(), each.getValue()) == null) {
        Map<String, JsonNode> inner = new LinkedHashMap<>();
        for (JsonNode variant : each.getValue().path("variants")) {
          add(inner, variant.path("type").asText());
        }
        open.addAll(inner.entrySet());
      }
    }
    return objects.values();
  }

  private void add(Map<String, JsonNode> to, String name) {
    @Nullable JsonNode type = schema.type(name);
    if (type != null) {
      to.put(name, type);
    }
  }

  private static String metaType(JsonNode type) {
    return type.path("meta-type").asText();
  }

  /** Names that are written either as texts or as objects that have one. */
  static Set<String> names(JsonNode array) {
    Set<String> names = new TreeSet<>();
    for (JsonNode each : array) {
      names.add(each.isTextual() ? each.textValue() : each.path("name").asText());
    }
    return names;
  }

  /** Where it stands and what may stand there, for humans. */
  @Override
  public String toString() {
    return where + ": " + String.join(" or ", jsonTypes());
  }
}
