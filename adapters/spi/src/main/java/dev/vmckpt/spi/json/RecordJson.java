// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.vmckpt.spi.error.SnapshotException;
import dev.vmckpt.spi.remote.RemoteAddress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Records to JSON and back.
 *
 * <p>Understood are records, sealed interfaces over records (the property {@code kind} tells
 * which), lists, maps with text keys, texts, whole numbers, booleans, enums (lower case), {@link
 * RemoteAddress} (a hexadecimal text), byte arrays (base64) and {@link JsonTree}. A component
 * marked {@code @Nullable} may be left out, every other must be there, and nothing else may.
 *
 * <p>Jackson's own binding of records costs a third of a second in a fresh JVM, more than a whole
 * restore may; its streaming parser under this class costs a few milliseconds.
 */
public final class RecordJson {
  private static final JsonFactory FACTORY = new JsonFactory();
  private static final int MAX_DEPTH = 100;

  private RecordJson() {}

  /** The JSON of a record, as UTF-8, in one line. */
  public static byte[] write(Record value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 16);
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      writeValue(json, value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** The JSON of a record, as text, indented for people. */
  public static String writePretty(Record value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 12);
    try (JsonGenerator json = FACTORY.createGenerator(out).useDefaultPrettyPrinter()) {
      writeValue(json, value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  /**
   * Reads a record.
   *
   * @param source the name of what is read, the beginning of every message
   * @throws SnapshotException with the path of the first thing that is wrong
   */
  public static <T> T read(byte[] json, int offset, int length, Class<T> type, String source) {
    try (JsonParser parser = FACTORY.createParser(json, offset, length)) {
      Path root = new Path(null, "", source);
      if (parser.nextToken() == null) {
        throw root.wrong("is empty");
      }
      Object value = readValue(parser, type, false, root, 0);
      if (parser.nextToken() != null) {
        throw root.wrong("goes on after its end");
      }
      return Objects.requireNonNull(type.cast(value));
    } catch (JsonProcessingException e) {
      throw new SnapshotException(
          SnapshotException.Fault.CORRUPT, source + " is not JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new SnapshotException(SnapshotException.Fault.CORRUPT, source + " cannot be read", e);
    }
  }

  /** A record as a tree, for a place whose shape only its owner knows. */
  public static JsonTree toTree(Record value) {
    byte[] json = write(value);
    return read(json, 0, json.length, JsonTree.class, "a tree");
  }

  /**
   * The record that {@link #toTree} was given.
   *
   * @throws SnapshotException with the path of the first thing that is wrong
   */
  public static <T extends Record> T fromTree(JsonTree tree, Class<T> type, String source) {
    byte[] json = write(tree);
    return read(json, 0, json.length, type, source);
  }

  private static void writeValue(JsonGenerator json, @Nullable Object value) throws IOException {
    if (value == null) {
      json.writeNull();
    } else if (value instanceof String text) {
      json.writeString(text);
    } else if (value instanceof RemoteAddress address) {
      json.writeString(address.toString());
    } else if (value instanceof JsonTree tree) {
      writeValue(json, tree.value());
    } else if (value instanceof Integer || value instanceof Long) {
      json.writeNumber(((Number) value).longValue());
    } else if (value instanceof Double number) {
      json.writeNumber(number);
    } else if (value instanceof Boolean flag) {
      json.writeBoolean(flag);
    } else if (value instanceof byte[] bytes) {
      json.writeBinary(bytes);
    } else if (value instanceof Enum<?> constant) {
      json.writeString(Shape.jsonName(constant));
    } else if (value instanceof List<?> list) {
      json.writeStartArray();
      for (Object element : list) {
        writeValue(json, element);
      }
      json.writeEndArray();
    } else if (value instanceof Map<?, ?> map) {
      json.writeStartObject();
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        json.writeFieldName(String.valueOf(entry.getKey()));
        writeValue(json, entry.getValue());
      }
      json.writeEndObject();
    } else if (value instanceof Record record) {
      writeRecord(json, record);
    } else {
      throw new IllegalArgumentException("no JSON for " + value.getClass());
    }
  }

  private static void writeRecord(JsonGenerator json, Record record) throws IOException {
    Shape shape = Shape.of(record.getClass());
    json.writeStartObject();
    if (shape.kind() != null) {
      json.writeStringField("kind", shape.kind());
    }
    for (Shape.Component component : shape.components()) {
      Object value = component.of(record);
      if (value != null) {
        json.writeFieldName(component.name());
        writeValue(json, value);
      }
    }
    json.writeEndObject();
  }

  private static @Nullable Object readValue(
      JsonParser parser, Type type, boolean nullable, Path path, int depth) throws IOException {
    JsonToken token = parser.currentToken();
    if (depth > MAX_DEPTH) {
      throw path.wrong("is nested too deeply");
    }
    if (type == JsonTree.class) {
      return new JsonTree(readTree(parser, path, depth));
    }
    if (token == JsonToken.VALUE_NULL && nullable) {
      return null;
    }
    if (type instanceof ParameterizedType generic) {
      if (generic.getRawType() == List.class) {
        return readList(parser, generic.getActualTypeArguments()[0], path, depth);
      }
      return readMap(parser, generic.getActualTypeArguments()[1], path, depth);
    }
    Class<?> plain = (Class<?>) type;
    if (plain == String.class) {
      return text(parser, path);
    }
    if (plain == int.class || plain == Integer.class) {
      long value = number(parser, path);
      if (value != (int) value) {
        throw path.wrong("is out of range: " + value);
      }
      return (int) value;
    }
    if (plain == long.class || plain == Long.class) {
      return number(parser, path);
    }
    if (plain == boolean.class || plain == Boolean.class) {
      if (token != JsonToken.VALUE_TRUE && token != JsonToken.VALUE_FALSE) {
        throw path.wrong("is not true or false");
      }
      return token == JsonToken.VALUE_TRUE;
    }
    if (plain == byte[].class) {
      text(parser, path);
      try {
        return parser.getBinaryValue();
      } catch (JsonProcessingException e) {
        throw path.wrong("is not base64");
      }
    }
    if (plain == RemoteAddress.class) {
      try {
        return RemoteAddress.parse(text(parser, path));
      } catch (NumberFormatException e) {
        throw path.wrong("is not an address");
      }
    }
    if (plain.isEnum()) {
      Object constant = Shape.constant(plain, text(parser, path));
      if (constant == null) {
        throw path.wrong("is none of the known words: " + parser.getText());
      }
      return constant;
    }
    if (token != JsonToken.START_OBJECT) {
      throw path.wrong("is not an object");
    }
    if (plain.isSealed()) {
      if (!"kind".equals(parser.nextFieldName())) {
        throw path.wrong("does not begin with its kind");
      }
      parser.nextToken();
      String kind = text(parser, path.field("kind"));
      Shape shape = Shape.ofKind(plain, kind);
      if (shape == null) {
        throw path.field("kind").wrong("is unknown: " + kind);
      }
      return readRecord(parser, shape, path, depth);
    }
    return readRecord(parser, Shape.of(plain), path, depth);
  }

  private static Object readRecord(JsonParser parser, Shape shape, Path path, int depth)
      throws IOException {
    List<Shape.Component> components = shape.components();
    @Nullable Object[] values = new @Nullable Object[components.size()];
    boolean[] seen = new boolean[components.size()];
    int expected = 0;
    for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
      // Written in the order of the components: the search ends at its first look.
      int index = shape.indexOf(name, expected);
      if (index < 0 || seen[index]) {
        throw path.field(name).wrong(index < 0 ? "is unknown" : "is there twice");
      }
      Shape.Component component = components.get(index);
      parser.nextToken();
      values[index] =
          readValue(parser, component.type(), component.nullable(), path.field(name), depth + 1);
      seen[index] = true;
      expected = index + 1;
    }
    for (int i = 0; i < seen.length; i++) {
      if (!seen[i] && !components.get(i).nullable()) {
        throw path.field(components.get(i).name()).wrong("is missing");
      }
    }
    try {
      return shape.make(values);
    } catch (IllegalArgumentException e) {
      throw path.wrong("does not fit together: " + e.getMessage());
    }
  }

  private static List<Object> readList(JsonParser parser, Type element, Path path, int depth)
      throws IOException {
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw path.wrong("is not a list");
    }
    List<Object> list = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      Object value = readValue(parser, element, false, path.index(list.size()), depth + 1);
      if (value != null) {
        list.add(value);
      }
    }
    return list;
  }

  private static Map<String, Object> readMap(JsonParser parser, Type element, Path path, int depth)
      throws IOException {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw path.wrong("is not an object");
    }
    Map<String, Object> map = new LinkedHashMap<>();
    for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
      parser.nextToken();
      Object value = readValue(parser, element, false, path.field(name), depth + 1);
      if (value == null || map.put(name, value) != null) {
        throw path.field(name).wrong("is there twice");
      }
    }
    return map;
  }

  private static @Nullable Object readTree(JsonParser parser, Path path, int depth)
      throws IOException {
    if (depth > MAX_DEPTH) {
      throw path.wrong("is nested too deeply");
    }
    JsonToken token = parser.currentToken();
    if (token == JsonToken.START_ARRAY) {
      List<@Nullable Object> list = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        list.add(readTree(parser, path.index(list.size()), depth + 1));
      }
      return list;
    }
    if (token == JsonToken.START_OBJECT) {
      Map<String, @Nullable Object> map = new LinkedHashMap<>();
      for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
        parser.nextToken();
        map.put(name, readTree(parser, path.field(name), depth + 1));
      }
      return map;
    }
    if (token == JsonToken.VALUE_STRING) {
      return parser.getText();
    }
    if (token == JsonToken.VALUE_NUMBER_INT) {
      return number(parser, path);
    }
    if (token == JsonToken.VALUE_NUMBER_FLOAT) {
      return parser.getDoubleValue();
    }
    if (token == JsonToken.VALUE_TRUE || token == JsonToken.VALUE_FALSE) {
      return token == JsonToken.VALUE_TRUE;
    }
    if (token == JsonToken.VALUE_NULL) {
      return null;
    }
    throw path.wrong("is cut short");
  }

  private static String text(JsonParser parser, Path path) throws IOException {
    if (parser.currentToken() != JsonToken.VALUE_STRING) {
      throw path.wrong("is not a text");
    }
    return parser.getText();
  }

  private static long number(JsonParser parser, Path path) throws IOException {
    if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
      throw path.wrong("is not a whole number");
    }
    try {
      return parser.getLongValue();
    } catch (JsonProcessingException e) {
      throw path.wrong("is out of range");
    }
  }

  /** Where in the JSON we are; spelled out only when something is wrong. */
  private record Path(@Nullable Path parent, String step, String source) {
    Path field(String name) {
      return new Path(this, "." + name, source);
    }

    Path index(int index) {
      return new Path(this, "[" + index + "]", source);
    }

    SnapshotException wrong(String problem) {
      StringBuilder path = new StringBuilder();
      for (Path at = this; at != null; at = at.parent) {
        path.insert(0, at.step);
      }
      String place =
          path.length() == 0 ? "its content" : path.substring(path.charAt(0) == '.' ? 1 : 0);
      return new SnapshotException(
          SnapshotException.Fault.CORRUPT, source + ": " + place + " " + problem);
    }
  }
}
