// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;

/**
 * A command on its way.
 *
 * @param id by which its answer is known
 * @param command its name
 * @param kind how it travels
 * @param line what is sent
 * @param answer completed on the reader
 */
record Request(
    long id, String command, Kind kind, byte[] line, CompletableFuture<JsonNode> answer) {
  /** How a command travels. */
  enum Kind {
    /** Carried out in turn. */
    IN_BAND,
    /** Overtakes those that are carried out in turn. */
    OUT_OF_BAND,
    /** Its answer comes after a sentinel, and everything before that is passed over. */
    SENTINEL
  }

  boolean isInBand() {
    return kind != Kind.OUT_OF_BAND;
  }
}
