// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.disks;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qemu.marks.PartName;
import dev.vmckpt.qmp.EventQueue;
import dev.vmckpt.qmp.Qmp;
import dev.vmckpt.qmp.QmpErrorException;
import dev.vmckpt.qmp.QmpEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * What a vmckpt that died has left in a QEMU: jobs, nodes and bitmaps, told by their names. Until
 * it is undone, the guest's writes cost a copy each, into a file that nobody wants.
 */
public final class Leftovers {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Qmp qmp;
  private final Predicate<PartName> which;
  private final List<String> undone = new ArrayList<>();

  private Leftovers(Qmp qmp, Predicate<PartName> which) {
    this.qmp = qmp;
    this.which = which;
  }

  /**
   * Undoes what vmckpts have left that do not run any more. May be done at any time; the guest goes
   * on, or stands still, as it did.
   *
   * @return what there was, by name; usually nothing
   * @throws dev.vmckpt.qmp.QmpException if QEMU does not answer
   */
  public static List<String> undo(Qmp qmp) {
    return undo(qmp, name -> !name.isOwnerAlive());
  }

  /** Undoes what has certain names. */
  static List<String> undo(Qmp qmp, Predicate<PartName> which) {
    Leftovers leftovers = new Leftovers(qmp, which);
    leftovers.endJobs();
    leftovers.removeNodes();
    return leftovers.undone;
  }

  private boolean isWanted(String text) {
    PartName name = PartName.tryRead(text);
    return name != null && which.test(name);
  }

  private void endJobs() {
    List<String> jobs = new ArrayList<>();
    try (EventQueue events = qmp.events().queue()) {
      for (JsonNode job : qmp.execute("query-jobs")) {
        String id = job.path("id").asText();
        if (isWanted(id)) {
          jobs.add(id);
        }
      }
      for (String id : jobs) {
        if (!tryDo("job-cancel", "id", id)) {
          continue; // ended by itself
        }
        while (!isConcluded(id)) {
          events.await("JOB_STATUS_CHANGE", event -> isEnd(event, id), PATIENCE);
        }
      }
    }
    for (String id : jobs) {
      tryDo("job-dismiss", "id", id);
      undone.add("job " + id);
    }
  }

  private boolean isConcluded(String id) {
    for (JsonNode job : qmp.execute("query-jobs")) {
      if (job.path("id").asText().equals(id)) {
        return job.path("status").asText().equals("concluded");
      }
    }
    return true;
  }

  /** Whether an event says that a job has ended. */
  static boolean isEnd(QmpEvent event, String job) {
    String status = event.data().path("status").asText();
    return event.name().equals("JOB_STATUS_CHANGE")
        && event.data().path("id").asText().equals(job)
        && (status.equals("concluded") || status.equals("null"));
  }

  /** Removes nodes that belong to nobody else, and bitmaps. */
  private void removeNodes() {
    JsonNode nodes = qmp.execute("query-named-block-nodes", args -> args.put("flat", true));
    for (JsonNode node : nodes) {
      String name = node.path("node-name").asText();
      PartName ours = PartName.tryRead(name);
      // The file below a target goes with it, unless it was opened alone, for a try.
      if (ours != null && which.test(ours) && tryDo("blockdev-del", "node-name", name)) {
        undone.add("node " + name);
      }
      for (JsonNode bitmap : node.path("dirty-bitmaps")) {
        String mark = bitmap.path("name").asText();
        if (isWanted(mark) && tryDo("block-dirty-bitmap-remove", "node", name, "name", mark)) {
          undone.add("bitmap " + mark);
        }
      }
    }
  }

  /** Whether a command was carried out; what is gone, or in use by another part, is not there. */
  private boolean tryDo(String command, String... arguments) {
    try {
      qmp.execute(
          command,
          args -> {
            for (int i = 0; i < arguments.length; i += 2) {
              args.put(arguments[i], arguments[i + 1]);
            }
          });
      return true;
    } catch (QmpErrorException e) {
      return false;
    }
  }
}
