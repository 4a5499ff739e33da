// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.disks.BlockEdge.Kind;
import dev.vmckpt.qmp.ErrorClass;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * QEMU's block layer: which nodes there are, and who uses which. Read at one moment; a running QEMU
 * may change it.
 *
 * <p>Sources: {@code query-named-block-nodes} (since 2.0), and {@code x-debug-query-block-graph}
 * (since 4.0) for who uses whom, which nothing else of QEMU 7.2 tells.
 */
public final class BlockGraph {
  private final List<BlockNode> nodes;
  private final List<BlockEdge> edges;

  private BlockGraph(List<BlockNode> nodes, List<BlockEdge> edges) {
    this.nodes = List.copyOf(nodes);
    this.edges = List.copyOf(edges);
  }

  /**
   * Asks QEMU.
   *
   * @throws dev.vmckpt.qmp.QmpException if it does not answer
   */
  public static BlockGraph read(Qmp qmp) {
    JsonNode named = qmp.execute("query-named-block-nodes", args -> args.put("flat", true));
    return of(named, qmp.execute("x-debug-query-block-graph"));
  }

  /**
   * Asks QEMU, if it can tell.
   *
   * @return null if this QEMU does not know the question
   * @throws dev.vmckpt.qmp.QmpException if it does not answer
   */
  public static @Nullable BlockGraph tryRead(Qmp qmp) {
    try {
      return read(qmp);
    } catch (QmpErrorException e) {
      if (e.errorClass() == ErrorClass.COMMAND_NOT_FOUND) {
        return null;
      }
      throw e;
    }
  }

  /**
   * Parses two answers.
   *
   * @param named of {@code query-named-block-nodes}
   * @param graph of {@code x-debug-query-block-graph}
   */
  public static BlockGraph of(JsonNode named, JsonNode graph) {
    List<BlockNode> nodes = new ArrayList<>();
    for (JsonNode each : named) {
      nodes.add(
          new BlockNode(
              each.path("node-name").asText(),
              each.path("drv").asText(),
              each.path("file").asText(),
              each.path("ro").asBoolean(true),
              each.path("image").path("virtual-size").asLong(-1)));
    }
    Map<Long, JsonNode> users = new HashMap<>();
    for (JsonNode each : graph.path("nodes")) {
      users.put(each.path("id").asLong(), each);
    }
    List<BlockEdge> edges = new ArrayList<>();
    for (JsonNode each : graph.path("edges")) {
      JsonNode parent = users.get(each.path("parent").asLong());
      JsonNode child = users.get(each.path("child").asLong());
      if (parent != null && child != null) {
        edges.add(
            new BlockEdge(
                parent.path("name").asText(),
                kind(parent.path("type").asText()),
                each.path("name").asText(),
                child.path("name").asText()));
      }
    }
    return new BlockGraph(nodes, edges);
  }

  private static Kind kind(String type) {
    return switch (type) {
      case "block-driver" -> Kind.NODE;
      case "block-job" -> Kind.JOB;
      default -> Kind.BACK_END;
    };
  }

  /** All nodes. */
  List<BlockNode> nodes() {
    return nodes;
  }

  /** Who uses whom. */
  List<BlockEdge> edges() {
    return edges;
  }

  /** The node of a name; null if there is none. */
  public @Nullable BlockNode tryNode(String name) {
    for (BlockNode each : nodes) {
      if (each.name().equals(name)) {
        return each;
      }
    }
    return null;
  }

  /** The nodes that stand for regular files. */
  List<BlockNode> files() {
    return nodes.stream().filter(BlockNode::isFile).toList();
  }

  /** The formats that lie in a node, and filters on it. */
  List<BlockNode> formatsOver(BlockNode node) {
    List<BlockNode> found = new ArrayList<>();
    for (BlockEdge edge : edges) {
      if (edge.child().equals(node.name()) && edge.role().equals("file")) {
        BlockNode parent = edge.kind() == Kind.NODE ? tryNode(edge.parent()) : null;
        if (parent != null) {
          found.add(parent);
        }
      }
    }
    return found;
  }

  /** What shows through a node, and through that, in this order; without the node itself. */
  List<BlockNode> backingChain(BlockNode node) {
    List<BlockNode> chain = new ArrayList<>();
    BlockNode at = node;
    while (at != null) {
      at = child(at, "backing");
      if (at != null) {
        chain.add(at);
      }
    }
    return chain;
  }

  /**
   * What a node uses.
   *
   * @param role {@code file} for what a format lies in, {@code backing} for what shows through it
   * @return null if there is none
   */
  public @Nullable BlockNode child(BlockNode node, String role) {
    for (BlockEdge edge : edges) {
      if (edge.kind() == Kind.NODE
          && edge.parent().equals(node.name())
          && edge.role().equals(role)) {
        return tryNode(edge.child());
      }
    }
    return null;
  }

  /**
   * Whether a file can become longer by what the guest writes: it can under every format but {@code
   * raw}. The data file of a qcow2 is raw by its nature. Of what is not known it is assumed.
   */
  boolean grows(BlockNode node) {
    for (BlockEdge edge : edges) {
      if (!edge.child().equals(node.name()) || edge.kind() != Kind.NODE) {
        continue;
      }
      BlockNode parent = tryNode(edge.parent());
      boolean raw = parent != null && parent.driver().equals("raw") && edge.role().equals("file");
      if (!raw && !edge.role().equals("data-file")) {
        return true;
      }
    }
    return false;
  }

  /** Whether a job uses a node, or a node above it: it may write while the guest stands still. */
  boolean isUsedByJob(BlockNode node) {
    Set<String> seen = new HashSet<>();
    List<String> todo = new ArrayList<>(List.of(node.name()));
    while (!todo.isEmpty()) {
      String name = todo.remove(todo.size() - 1);
      if (!seen.add(name)) {
        continue;
      }
      for (BlockEdge edge : edges) {
        if (edge.child().equals(name)) {
          if (edge.kind() == Kind.JOB) {
            return true;
          }
          if (edge.kind() == Kind.NODE) {
            todo.add(edge.parent());
          }
        }
      }
    }
    return false;
  }
}
