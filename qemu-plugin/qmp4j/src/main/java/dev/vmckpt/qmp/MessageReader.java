// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.async.ByteArrayFeeder;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Takes a stream of bytes apart into messages, which are JSON objects. A message ends where its
 * object ends, not at the end of a line: in its pretty mode QEMU writes an object over many lines.
 *
 * <p>Bytes are parsed as they come, so that what is no JSON is found out at its first wrong byte
 * rather than by a timeout. Each message has a parser of its own: a parser keeps every name it ever
 * saw, and names may be chosen by a guest.
 *
 * <p>Used by one thread. After an exception it is of no further use, but for {@link
 * #skipToSentinel}.
 */
final class MessageReader {
  /**
   * What the guest agent sends before the answer to guest-sync-delimited: never a byte of UTF-8.
   */
  static final byte SENTINEL = (byte) 0xff;

  private final Limits limits;
  private final boolean sentinels;
  private final JsonFactory factory;
  private final Excerpt excerpt = new Excerpt();
  private final TreeBuilder tree = new TreeBuilder();

  private @Nullable JsonParser parser;
  private long bytes;
  private long tokens;
  private boolean skipping;

  /**
   * At the beginning of a stream.
   *
   * @param sentinels whether the other end may send sentinels: what is read of a message is
   *     forgotten at one, for the other end has begun anew
   */
  MessageReader(Limits limits, boolean sentinels) {
    this.limits = limits;
    this.sentinels = sentinels;
    this.factory =
        JsonFactory.builder()
            .streamReadConstraints(
                StreamReadConstraints.builder()
                    .maxNestingDepth(limits.depth())
                    .maxStringLength(limits.messageBytes())
                    .build())
            // Names would stay in the JVM's own table for ever.
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .build();
  }

  /**
   * Takes what was read.
   *
   * @param sink is given each message that ends in it; throws {@link IllegalArgumentException} for
   *     one that is none of QMP
   * @throws QmpProtocolException if it is no JSON, no object, beyond the limits, or no QMP
   */
  void feed(byte[] chunk, int from, int to, Consumer<ObjectNode> sink) {
    int at = from;
    while (at < to) {
      int sentinel = sentinels ? nextSentinel(chunk, at, to) : to;
      while (at < sentinel) {
        if (skipping) {
          at = sentinel;
        } else if (parser == null && isSpace(chunk[at])) {
          at++;
        } else {
          at = parse(chunk, at, sentinel, sink);
        }
      }
      if (sentinel < to) {
        reset();
        skipping = false;
        at++;
      }
    }
  }

  /** Everything up to and with the next sentinel will be passed over, whatever it is. */
  void skipToSentinel() {
    reset();
    skipping = true;
  }

  /** The beginning of a message that has begun and not ended; null if there is none. */
  @Nullable String unfinished() {
    return parser == null ? null : excerpt.toString();
  }

  private static int nextSentinel(byte[] chunk, int from, int to) {
    int at = from;
    while (at < to && chunk[at] != SENTINEL) {
      at++;
    }
    return at;
  }

  private static boolean isSpace(byte b) {
    return b == ' ' || b == '\n' || b == '\r' || b == '\t';
  }

  /** Returns how far it came: the end of what there is, or the end of a message. */
  private int parse(byte[] chunk, int from, int to, Consumer<ObjectNode> sink) {
    int end = to;
    try {
      JsonParser now = parser;
      if (now == null) {
        reset();
        excerpt.add(chunk, from, to);
        if (chunk[from] != '{') {
          throw protocol("not a JSON object", null);
        }
        now = factory.createNonBlockingByteArrayParser();
        parser = now;
      } else {
        excerpt.add(chunk, from, to);
      }
      ((ByteArrayFeeder) now.getNonBlockingInputFeeder()).feedInput(chunk, from, to);
      boolean whole = takeTokens(now);
      if (whole) {
        end -= now.releaseBuffered(OutputStream.nullOutputStream());
      }
      bytes += end - from;
      if (bytes > limits.messageBytes()) {
        throw protocol("a message of more than " + limits.messageBytes() + " bytes", null);
      }
      if (!whole) {
        return end;
      }
    } catch (JsonProcessingException e) {
      throw protocol(Excerpt.safe(e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw protocol(Excerpt.safe(String.valueOf(e.getMessage())), e);
    } catch (QmpProtocolException e) {
      throw e;
    } catch (RuntimeException e) {
      // Whatever a parser of somebody else's stumbles over, it stumbles over this message.
      throw protocol("cannot be parsed", e);
    }
    try {
      sink.accept(tree.root());
    } catch (IllegalArgumentException e) {
      excerpt.cut(bytes);
      throw protocol(Excerpt.safe(String.valueOf(e.getMessage())), e);
    }
    reset();
    return end;
  }

  /** Returns whether the message is whole. */
  private boolean takeTokens(JsonParser from) throws IOException {
    while (true) {
      JsonToken token = from.nextToken();
      if (token == null || token == JsonToken.NOT_AVAILABLE) {
        return false;
      }
      if (++tokens > limits.tokens()) {
        throw protocol("a message of more than " + limits.tokens() + " tokens", null);
      }
      if (tree.take(token, from)) {
        return true;
      }
    }
  }

  private void reset() {
    JsonParser old = parser;
    parser = null;
    bytes = 0;
    tokens = 0;
    tree.clear();
    excerpt.clear();
    if (old != null) {
      try {
        old.close();
      } catch (IOException e) {
        throw new IllegalStateException("a parser of an array does no input", e);
      }
    }
  }

  private QmpProtocolException protocol(String what, @Nullable Throwable cause) {
    String beginning = excerpt.toString();
    return new QmpProtocolException(
        "what was read is no QMP: " + what + ", in '" + beginning + "'", beginning, cause);
  }
}
