// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Map;

/**
 * Writes commands. What QEMU's parser would not take is refused here, for QEMU's complaint about it
 * would bear no id, and nobody could say whose it is.
 */
final class MessageWriter {
  /** What QEMU takes (qobject/json-streamer.c), less the object around the arguments. */
  private static final int MAX_DEPTH = 1023;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamWriteConstraints(
              StreamWriteConstraints.builder().maxNestingDepth(Limits.QEMU.depth()).build())
          .build();

  private MessageWriter() {}

  /**
   * One line: {@code {"execute": command, "arguments": {...}, "id": id}}.
   *
   * @throws IllegalArgumentException if QEMU could not read it
   */
  static byte[] command(String verb, String command, ObjectNode arguments, long id) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(128);
    try (JsonGenerator json = FACTORY.createGenerator(out, JsonEncoding.UTF8)) {
      json.writeStartObject();
      json.writeStringField(verb, checked(command));
      if (!arguments.isEmpty()) {
        json.writeFieldName("arguments");
        write(json, arguments, 1);
      }
      json.writeNumberField("id", id);
      json.writeEndObject();
    } catch (IOException | IllegalArgumentException e) {
      throw new IllegalArgumentException(Excerpt.safe(command) + ": " + e.getMessage(), e);
    }
    out.write('\n');
    if (out.size() > Limits.QEMU.messageBytes()) {
      throw new IllegalArgumentException(
          command
              + ": "
              + out.size()
              + " bytes, of which QEMU takes "
              + Limits.QEMU.messageBytes());
    }
    return out.toByteArray();
  }

  /**
   * A line after a sentinel, at which a guest agent forgets the half of a command that another
   * client may have left with it.
   */
  static byte[] afterSentinel(byte[] line) {
    byte[] both = new byte[line.length + 1];
    both[0] = MessageReader.SENTINEL;
    System.arraycopy(line, 0, both, 1, line.length);
    return both;
  }

  private static void write(JsonGenerator json, JsonNode node, int depth) throws IOException {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException("arguments that are nested deeper than " + MAX_DEPTH);
    }
    switch (node.getNodeType()) {
      case OBJECT -> {
        json.writeStartObject();
        for (Map.Entry<String, JsonNode> member : node.properties()) {
          json.writeFieldName(checked(member.getKey()));
          write(json, member.getValue(), depth + 1);
        }
        json.writeEndObject();
      }
      case ARRAY -> {
        json.writeStartArray();
        for (JsonNode each : node) {
          write(json, each, depth + 1);
        }
        json.writeEndArray();
      }
      case STRING -> json.writeString(checked(node.textValue()));
      case BOOLEAN -> json.writeBoolean(node.booleanValue());
      case NULL -> json.writeNull();
      case NUMBER -> number(json, node);
      default ->
          throw new IllegalArgumentException("an argument that is no JSON: " + node.getNodeType());
    }
  }

  /** QEMU's strings are UTF-8, which has nothing for half of a surrogate pair. */
  private static String checked(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isHighSurrogate(text.charAt(i))
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(text.charAt(i))) {
        throw new IllegalArgumentException(
            "half of a surrogate pair in '" + Excerpt.safe(text) + "'");
      }
    }
    return text;
  }

  private static void number(JsonGenerator json, JsonNode node) throws IOException {
    if (node.isBigInteger()) {
      json.writeNumber(node.bigIntegerValue());
    } else if (node.isIntegralNumber()) {
      json.writeNumber(node.longValue());
    } else if (Double.isFinite(node.doubleValue())) {
      json.writeNumber(node.decimalValue());
    } else {
      throw new IllegalArgumentException("an argument that JSON has no number for: " + node);
    }
  }
}
