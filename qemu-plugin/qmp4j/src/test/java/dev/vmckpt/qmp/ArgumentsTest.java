// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a real QEMU reads of what is sent, and what is never sent because it could not. */
@Timeout(120)
class ArgumentsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir static Path folder;
  private static RealServer server;
  private static Qmp qmp;

  @BeforeAll
  static void start() {
    server = RealServer.at(folder.resolve("qmp"));
    qmp = Qmp.connect(folder.resolve("qmp"), PATIENCE);
  }

  @AfterAll
  static void end() {
    qmp.close();
    server.close();
  }

  @Test
  void textsComeBackAsTheyWere() {
    for (String id :
        new String[] {"plain", "quo\"te\\", "tab\tline\n", "\u00e9\u4e2d", "\uD83D\uDE00"}) {
      assertThatThrownBy(() -> qmp.execute("device_del", args -> args.put("id", id)))
          .isInstanceOfSatisfying(
              QmpErrorException.class, e -> assertThat(e.description()).contains("'" + id + "'"));
    }
  }

  @Test
  void numbersComeBackAsTheyWere() {
    for (long bandwidth : new long[] {0, 1, 1L << 40, Long.MAX_VALUE}) {
      qmp.execute("migrate-set-parameters", args -> args.put("max-bandwidth", bandwidth));
      assertThat(qmp.execute("query-migrate-parameters").path("max-bandwidth").longValue())
          .isEqualTo(bandwidth);
    }
  }

  @Test
  void whatIsLongGoesThrough() {
    // QEMU 7.2 reads a byte at a time.
    String id = "x".repeat(100_000);
    assertThatThrownBy(() -> qmp.execute("device_del", args -> args.put("id", id)))
        .isInstanceOf(QmpErrorException.class);
  }

  @Test
  void whatNobodyCanReadIsNotSent() {
    refused(args -> args.put("id", "half \uD83D"));
    refused(args -> args.put("half \uDE00", 1));
    refused(args -> args.put("id", Double.NaN));
    refused(args -> args.put("id", Float.POSITIVE_INFINITY));
    refused(args -> args.putPOJO("id", new Object()));
    refused(
        args -> {
          ArrayNode inner = args.putArray("id");
          for (int i = 0; i < 2000; i++) {
            inner = inner.addArray();
          }
        });
    refused(args -> args.put("id", "x".repeat(64 << 20)));
    assertThat(qmp.execute("query-name").isObject()).isTrue();
  }

  private static void refused(Consumer<ObjectNode> arguments) {
    assertThatThrownBy(() -> qmp.submit("device_del", arguments))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("device_del");
  }

  @Test
  void asDeepAsQemuReads() {
    // It is the schema that refuses, not the parser.
    ArrayNode innermost = JsonNodeFactory.instance.arrayNode();
    for (int i = 0; i < 1000; i++) {
      ArrayNode outer = JsonNodeFactory.instance.arrayNode();
      outer.add(innermost);
      innermost = outer;
    }
    ArrayNode all = innermost;
    assertThatThrownBy(() -> qmp.execute("device_del", args -> args.set("id", all)))
        .isInstanceOf(QmpErrorException.class)
        .hasMessageContaining("id");
  }

  @Test
  void whatTheCallerThrowsIsThrown() {
    assertThatThrownBy(
            () ->
                qmp.execute(
                    "query-name",
                    args -> {
                      throw new UnsupportedOperationException("no arguments");
                    }))
        .isInstanceOf(UnsupportedOperationException.class);
    assertThat(qmp.execute("query-name").isObject()).isTrue();
  }
}
