// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where messages end, and what is none. */
class MessageReaderTest {
  private static final String MANY =
      "{\"return\": {}}\r\n{\"a\":[1,-2,3.5,1e3,true,false,null,\"}\\\"{\\u00e9\uD83D\uDE00\"]}"
          + "{\n    \"b\": {\n        \"c\": [\n        ]\n    }\n}\n\n\t {\"\":18446744073709551615}";

  private final List<ObjectNode> messages = new ArrayList<>();

  private static MessageReader reader(int bytes, int depth, int tokens) {
    return new MessageReader(new Limits(bytes, depth, tokens), false);
  }

  private static MessageReader reader() {
    return new MessageReader(Limits.QEMU, false);
  }

  private void feed(MessageReader reader, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    reader.feed(bytes, 0, bytes.length, messages::add);
  }

  private void assertMany() {
    assertThat(messages).hasSize(4);
    assertThat(messages.get(0).path("return").isObject()).isTrue();
    assertThat(messages.get(1).path("a")).hasSize(8);
    assertThat(messages.get(1).path("a").path(3).doubleValue()).isEqualTo(1000);
    assertThat(messages.get(1).path("a").path(7).asText()).isEqualTo("}\"{\u00e9\uD83D\uDE00");
    assertThat(messages.get(2).path("b").path("c").isArray()).isTrue();
    assertThat(messages.get(3).path("").bigIntegerValue())
        .isEqualTo(BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE));
  }

  @Test
  void messagesEndWhereTheirObjectsEnd() {
    feed(reader(), MANY);
    assertMany();
  }

  @Test
  void whereverTheStreamIsCut() {
    byte[] bytes = MANY.getBytes(StandardCharsets.UTF_8);
    for (int cut = 0; cut <= bytes.length; cut++) {
      messages.clear();
      MessageReader reader = reader();
      reader.feed(bytes, 0, cut, messages::add);
      reader.feed(bytes, cut, bytes.length, messages::add);
      assertMany();
      assertThat(reader.unfinished()).isNull();
    }
    messages.clear();
    MessageReader reader = reader();
    for (int i = 0; i < bytes.length; i++) {
      reader.feed(bytes, i, i + 1, messages::add);
    }
    assertMany();
  }

  @Test
  void whatIsNoObjectIsFoundOutAtItsFirstByte() {
    for (String bad :
        new String[] {"[]", "1", "\"x\"", "null", "HTTP/1.1 400", "}", "\0", "\u00ff"}) {
      assertThatThrownBy(() -> feed(reader(), " \r\n" + bad.charAt(0)))
          .isInstanceOf(QmpProtocolException.class);
    }
  }

  @Test
  void whatIsNoJsonIsFoundOutWhereItIsNone() {
    for (String bad :
        new String[] {
          "{]",
          "{,",
          "{a",
          "{'a'",
          "{\"a\"}",
          "{\"a\":}",
          "{\"a\":1,}",
          "{\"a\":[}",
          "{\"a\":01",
          "{\"a\":nul1}",
          "{\"a\":\"\n",
          "{\"a\":\"\\x",
          "{\"a\":NaN}",
          "{/*",
          "{{",
          "{\"a\":+1"
        }) {
      assertThat(catchThrowable(() -> feed(reader(), bad)))
          .as(bad)
          .isInstanceOf(QmpProtocolException.class)
          .hasMessageContaining("no QMP");
    }
    assertThat(messages).isEmpty();
  }

  @Test
  void whatIsNoUtf8IsFoundOut() {
    byte[] bytes = {'{', '"', (byte) 0xc3, '"', ':', '1', '}'};
    assertThatThrownBy(() -> reader().feed(bytes, 0, bytes.length, messages::add))
        .isInstanceOf(QmpProtocolException.class);
  }

  @Test
  void theBeginningIsQuotedInPrintableLetters() {
    QmpProtocolException e =
        catchThrowableOfType(
            QmpProtocolException.class,
            () -> feed(reader(), "{\"\u001b[2J\u0007\\\r\n\u00e9" + "x".repeat(200)));
    assertThat(e.excerpt())
        .startsWith("{\"\\x1b[2J\\x07\\\\\\x0d\\x0a\\xc3\\xa9xxx")
        .endsWith("xxx...")
        .hasSizeLessThan(4 * Excerpt.BYTES + 4);
    assertThat(e.getMessage()).contains(e.excerpt()).matches("[ -~]*");
    assertThat(e.again().getMessage()).isEqualTo(e.getMessage());
  }

  @Test
  void sizeDepthAndTokensAreLimited() {
    feed(reader(20, 3, 9), "{\"a\":[[]]} {\"b\":[[]]}");
    assertThat(messages).hasSize(2);
    assertThatThrownBy(() -> feed(reader(20, 3, 9), "{\"a\":\"0123456789abc\"}"))
        .isInstanceOf(QmpProtocolException.class)
        .hasMessageContaining("20 bytes");
    assertThatThrownBy(() -> feed(reader(20, 3, 9), "{\"a\":[[["))
        .isInstanceOf(QmpProtocolException.class)
        .hasMessageContaining("depth");
    assertThatThrownBy(() -> feed(reader(99, 3, 9), "{\"a\":[1,2,3,4,5,6,7,8"))
        .isInstanceOf(QmpProtocolException.class)
        .hasMessageContaining("9 tokens");
  }

  @Test
  void whatNeverEndsIsCutOff() {
    for (String[] endless :
        new String[][] {
          {"{\"a\":\"", "x"},
          {"{\"a\":", "9"},
          {"{\"a\":0.", "9"},
          {"{\"", "n"},
          {"{\"a\":[", "[],"},
          {"{\"a\":[", "{\"b\":1},"},
          {"{", "\"b\":1,"},
          {"{", " "},
          {"{\"a\":[", "["},
          {"", "{\"a\":"}
        }) {
      MessageReader reader = reader(1 << 20, 1000, 1 << 16);
      assertThat(
              catchThrowable(
                  () -> {
                    feed(reader, endless[0]);
                    while (true) {
                      feed(reader, endless[1].repeat(1000));
                    }
                  }))
          .as(endless[0] + endless[1])
          .isInstanceOf(QmpProtocolException.class);
    }
  }

  @Test
  void asDeepAndAsLongAsQemuItself() {
    MessageReader reader = reader();
    int depth = Limits.QEMU.depth();
    feed(reader, "{\"a\":" + "[".repeat(depth - 1) + "]".repeat(depth - 1) + "}");
    assertThat(messages).hasSize(1);
    feed(reader, "{\"a\":\"");
    for (int i = 0; i < 60; i++) {
      feed(reader, "x".repeat(1 << 20));
    }
    feed(reader, "\"}");
    assertThat(messages.get(1).path("a").asText()).hasSize(60 << 20);
  }

  @Test
  void aSentinelBeginsAnew() {
    MessageReader reader = new MessageReader(Limits.QEMU, true);
    reader.skipToSentinel();
    byte[] bytes =
        "rubbish{]]\u00ff{\"a\":1}{\"b\":\u00ff\u00ff {\"c\":3}"
            .getBytes(StandardCharsets.ISO_8859_1);
    for (int i = 0; i < bytes.length; i++) {
      reader.feed(bytes, i, i + 1, messages::add);
    }
    assertThat(messages).hasSize(2);
    assertThat(messages.get(0).has("a")).isTrue();
    assertThat(messages.get(1).has("c")).isTrue();
  }

  @Test
  void whatIsUnfinishedIsTold() {
    MessageReader reader = reader();
    assertThat(reader.unfinished()).isNull();
    feed(reader, "  ");
    assertThat(reader.unfinished()).isNull();
    feed(reader, "{\"retu");
    assertThat(reader.unfinished()).isEqualTo("{\"retu");
    feed(reader, "rn\":1}\r\n");
    assertThat(reader.unfinished()).isNull();
  }
}
