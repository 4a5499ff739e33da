// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/**
 * What a QEMU 7.2 said of two overlays, raw disks, media that are only read, and a temporary one.
 */
class BlockGraphTest {
  private static BlockGraph saved() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(BlockGraphTest.class.getResourceAsStream("block-graph-7.2.json"))) {
      JsonNode all = new ObjectMapper().readTree(in);
      return BlockGraph.of(all.path("nodes"), all.path("graph"));
    }
  }

  private static BlockNode file(BlockGraph graph, String file, boolean readOnly) {
    return graph.files().stream()
        .filter(each -> each.file().equals(file) && each.readOnly() == readOnly)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void knowsTheNodesThatStandForFiles() throws IOException {
    BlockGraph graph = saved();
    assertThat(graph.nodes()).hasSize(16);
    assertThat(graph.files())
        .extracting(BlockNode::file)
        .containsExactlyInAnyOrder(
            "vars.fd",
            "vars.fd",
            "o.raw",
            "/var/tmp/vl.J26JZ3",
            "sn.raw",
            "base.raw",
            "mid.qcow2",
            "top.qcow2");
    assertThat(file(graph, "top.qcow2", false).bytes()).isEqualTo(197120);
    assertThat(file(graph, "base.raw", true).readOnly()).isTrue();
    assertThat(graph.tryNode("nothing"))
        .isNotNull()
        .satisfies(node -> assertThat(Objects.requireNonNull(node).isFile()).isFalse());
    assertThat(graph.tryNode("nobody")).isNull();
  }

  @Test
  void knowsFormatsAndWhatShowsThroughThem() throws IOException {
    BlockGraph graph = saved();
    List<BlockNode> over = graph.formatsOver(file(graph, "top.qcow2", false));
    assertThat(over).extracting(BlockNode::driver).containsExactly("qcow2");
    assertThat(graph.backingChain(over.get(0)))
        .extracting(BlockNode::file)
        .containsExactly("mid.qcow2", "base.raw");
    assertThat(graph.backingChain(file(graph, "top.qcow2", false))).isEmpty();
  }

  @Test
  void knowsWhoUsesWhat() throws IOException {
    BlockGraph graph = saved();
    assertThat(graph.edges())
        .filteredOn(edge -> edge.kind() == BlockEdge.Kind.BACK_END)
        .extracting(BlockEdge::parent, BlockEdge::role)
        .containsExactlyInAnyOrder(
            org.assertj.core.groups.Tuple.tuple("d", "root"),
            org.assertj.core.groups.Tuple.tuple("s", "root"),
            org.assertj.core.groups.Tuple.tuple("o", "root"),
            org.assertj.core.groups.Tuple.tuple("ro", "root"));
    assertThat(graph.files()).noneMatch(graph::isUsedByJob);
  }

  @Test
  void knowsWhichFilesGrow() throws IOException {
    BlockGraph graph = saved();
    assertThat(graph.grows(file(graph, "top.qcow2", false))).isTrue();
    assertThat(graph.grows(file(graph, "/var/tmp/vl.J26JZ3", false))).isTrue();
    assertThat(graph.grows(file(graph, "o.raw", false))).isFalse();
    assertThat(graph.grows(file(graph, "sn.raw", true))).isFalse();
  }

  @Test
  void readsTheNameOutOfOptions() {
    assertThat(OpenFiles.tryFileName("/srv/a")).isEqualTo("/srv/a");
    assertThat(OpenFiles.tryFileName("json:{\"driver\": \"file\", \"filename\": \"/srv/a\"}"))
        .isEqualTo("/srv/a");
    assertThat(OpenFiles.tryFileName("json:{\"driver\": \"null-co\"}")).isNull();
    assertThat(OpenFiles.tryFileName("json:{")).isNull();
    assertThat(OpenFiles.tryFileName("")).isNull();
  }
}
