// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a real QEMU says that it knows. */
@Timeout(120)
class SchemaTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir static Path folder;
  private static Schema schema;

  @BeforeAll
  static void ask() {
    Path socket = folder.resolve("qmp");
    try (RealServer server = RealServer.at(socket);
        Qmp qmp = Qmp.connect(socket, PATIENCE)) {
      schema = qmp.schema();
      assertThat(qmp.schema()).isSameAs(schema);
      assertThat(server.isAlive()).isTrue();
    }
  }

  @Test
  void commandsAndEvents() {
    assertThat(schema.hasCommand("blockdev-backup")).isTrue();
    assertThat(schema.hasCommand("STOP")).isFalse();
    assertThat(schema.hasEvent("STOP")).isTrue();
    assertThat(schema.hasEvent("blockdev-backup")).isFalse();
    assertThat(schema.commands()).contains("query-status", "migrate").doesNotContain("STOP");
    assertThat(schema.events()).contains("STOP", "JOB_STATUS_CHANGE").doesNotContain("migrate");
    assertThat(schema.allowsOob("query-yank")).isTrue();
    assertThat(schema.allowsOob("query-status")).isFalse();
  }

  @Test
  void arguments() {
    assertThat(schema.hasArgument("blockdev-backup", "target")).isTrue();
    assertThat(schema.hasArgument("blockdev-backup", "no-such")).isFalse();
    assertThat(schema.hasArgument("no-such", "target")).isFalse();
    assertThat(schema.arguments("blockdev-backup").members()).contains("device", "target", "sync");
    assertThat(schema.arguments("blockdev-backup").isOptional("speed")).isTrue();
    assertThat(schema.arguments("blockdev-backup").isOptional("target")).isFalse();
    assertThat(schema.arguments("blockdev-backup").at("sync").values())
        .contains("full", "top", "none");
    assertThat(schema.arguments("query-status").members()).isEmpty();
  }

  @Test
  void resultsAndData() {
    assertThat(schema.result("query-status").has("running")).isTrue();
    assertThat(schema.result("query-status").at("running").jsonTypes()).containsExactly("boolean");
    assertThat(schema.result("query-status").at("status").values()).contains("running", "paused");
    // Through an array.
    assertThat(schema.result("query-chardev").jsonTypes()).containsExactly("array");
    assertThat(schema.result("query-chardev").at("filename").jsonTypes()).containsExactly("string");
    assertThat(schema.data("BLOCK_JOB_COMPLETED").has("device")).isTrue();
    assertThat(schema.data("STOP").members()).isEmpty();
  }

  @Test
  void variantsAndAlternates() {
    SchemaType blockdev = schema.arguments("blockdev-add");
    assertThat(blockdev.at("driver").values()).contains("qcow2", "raw", "file");
    assertThat(blockdev.variants()).contains("qcow2", "raw", "file");
    assertThat(blockdev.members()).contains("driver", "node-name", "filename", "backing");
    assertThat(blockdev.variant("qcow2").has("backing")).isTrue();
    assertThat(blockdev.variant("qcow2").has("filename")).isFalse();
    assertThat(blockdev.variant("qcow2").has("node-name")).isTrue();
    assertThat(blockdev.variant("file").has("filename")).isTrue();
    // A reference by name, or a definition of its own, to any depth.
    assertThat(blockdev.variant("qcow2").at("file").jsonTypes()).contains("object", "string");
    assertThat(blockdev.has("file", "file", "file", "filename")).isTrue();
    assertThat(blockdev.has("file", "file", "no-such")).isFalse();
    assertThat(blockdev.variant("qcow2").at("backing").jsonTypes())
        .containsExactly("null", "object", "string");
    // An array of objects with variants.
    assertThat(schema.arguments("transaction").has("actions", "data", "target")).isTrue();
  }

  @Test
  void features() {
    assertThat(schema.features("query-status")).isEmpty();
    assertThat(schema.features("blockdev-snapshot")).contains("allow-write-only-overlay");
    assertThat(schema.arguments("blockdev-add").variant("file").features())
        .contains("dynamic-auto-read-only");
    assertThat(schema.arguments("blockdev-add").variant("file").features("x-check-cache-dropped"))
        .contains("unstable");
  }

  @Test
  void whatIsNotThereIsSaidWithWhatIsNear() {
    assertThatThrownBy(() -> schema.arguments("blockdev-bakcup"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContainingAll("no command blockdev-bakcup", "near:", "blockdev-backup");
    assertThatThrownBy(() -> schema.data("STOPPED"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContainingAll("no event STOPPED", "STOP");
    assertThatThrownBy(() -> schema.arguments("blockdev-add").at("file", "filname"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContainingAll("command blockdev-add.file", "no member filname", "filename");
    assertThatThrownBy(() -> schema.arguments("blockdev-add").variant("qcow3"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContaining("qcow2");
    assertThatThrownBy(() -> schema.arguments("device_del").at("name"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContaining("there are: id");
    assertThatThrownBy(() -> schema.arguments("query-status").at("x"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContaining("it has none");
    assertThatThrownBy(() -> Schema.of(JsonNodeFactory.instance.arrayNode()))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
