// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An object in a QEMU that tells who has stopped its guest: should that one end, and with it the
 * guard that would have let the guest go on, then the next who meets the monitor knows.
 *
 * @param name its id there: {@code vmckpt-stopped-PID-START}, with the start in milliseconds
 */
record Mark(String name) {
  private static final String PREFIX = "vmckpt-stopped-";
  private static final Pattern NAME = Pattern.compile(PREFIX + "([0-9]{1,9})-([0-9]{1,18})");

  /** That of this process. */
  static Mark own() {
    ProcessHandle us = ProcessHandle.current();
    return new Mark(PREFIX + us.pid() + "-" + start(us));
  }

  /** All that are set. */
  static List<Mark> all(Qmp qmp) {
    List<Mark> marks = new ArrayList<>();
    for (JsonNode object : qmp.execute("qom-list", args -> args.put("path", "/objects"))) {
      if (NAME.matcher(object.path("name").asText()).matches()) {
        marks.add(new Mark(object.path("name").asText()));
      }
    }
    return marks;
  }

  /** Whether the process it tells of is there. */
  boolean isAlive() {
    Matcher parts = NAME.matcher(name);
    return parts.matches()
        && ProcessHandle.of(Long.parseLong(parts.group(1)))
            .map(process -> Long.toString(start(process)).equals(parts.group(2)))
            .orElse(false);
  }

  private static long start(ProcessHandle process) {
    return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  /**
   * Sets it.
   *
   * @throws QmpErrorException if this QEMU has no objects of the kind
   */
  void set(Qmp qmp) {
    // An object of any kind that does nothing by itself and wants no more than a name.
    qmp.execute(
        "object-add", args -> args.put("qom-type", "secret").put("id", name).put("data", ""));
  }

  /** Removes it if it is set. */
  void tryRemove(Qmp qmp) {
    try {
      qmp.execute("object-del", args -> args.put("id", name));
    } catch (QmpErrorException notThere) {
      // As wished.
    }
  }

  /** What lets the guest go on and removes it, in a line; the answer to its end has the name. */
  String lastWords() {
    return "{\"execute\":\"cont\"} {\"execute\":\"object-del\",\"arguments\":{\"id\":\""
        + name
        + "\"},\"id\":\""
        + name
        + "\"}";
  }
}
