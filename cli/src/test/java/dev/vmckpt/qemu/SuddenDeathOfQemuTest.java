// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vmckpt.qmp.Qmp;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * {@link SuddenDeath} of what vmckpt has begun in a QEMU: the guest is stopped by its monitor, and
 * a disk on a file system that shares no blocks is kept by a job.
 */
class SuddenDeathOfQemuTest extends SuddenDeath {
  @Test
  void ofSnapshots() throws Exception {
    kill(6);
  }

  @Test
  @Tag("long")
  void ofAHundredSnapshots() throws Exception {
    kill(100);
  }

  private void kill(int kills) throws Exception {
    try (Qemu guest = Qemu.linux(folder, 256)) {
      guest.awaitMore(3);
      killSnapshots(new Monitored(guest), kills);
    }
  }

  private record Monitored(Qemu guest) implements Victim {
    @Override
    public int pid() {
      return guest.pid();
    }

    @Override
    public void awaitMore(int lines) {
      guest.awaitMore(lines);
    }

    @Override
    public void awaitUndone() {
      Health.await("nothing is left in QEMU", () -> left().isEmpty());
    }

    /** What is of a vmckpt there. The monitor is free when the guard has hung up. */
    private String left() {
      try (Qmp qmp = Qemu.monitor(guest.folder().resolve("qmp"))) {
        String text = Qemu.status(qmp).equals("running") ? "" : "the guest does not run; ";
        JsonNode objects = qmp.execute("qom-list", args -> args.put("path", "/objects"));
        JsonNode nodes = qmp.execute("query-named-block-nodes", args -> args.put("flat", true));
        String all = "" + qmp.execute("query-jobs") + objects + nodes;
        return all.contains("vmckpt-") ? text + all : text;
      }
    }
  }
}
