// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.state;

import dev.vmckpt.spi.remote.CallBatch;
import dev.vmckpt.spi.remote.RemoteTask;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a batch reads of one vm or vcpu. */
public final class Readings {
  private final CallBatch batch;
  private final Map<String, Reading> groups;

  /**
   * @param batch the batch they were added to
   * @param groups each group, by its name
   */
  Readings(CallBatch batch, Map<String, Reading> groups) {
    this.batch = batch;
    this.groups = groups;
  }

  /**
   * What was read, by group; those the machine does not have are left out. The batch must have run.
   *
   * @param task runs further batches, as far as they are needed
   */
  public Map<String, byte[]> bytes(RemoteTask task) {
    Map<String, byte[]> found = new LinkedHashMap<>();
    Map<String, StagedReading> unfinished = new LinkedHashMap<>();
    groups.forEach(
        (name, reading) -> {
          if (reading instanceof StagedReading staged && !staged.collect(batch)) {
            unfinished.put(name, staged);
          }
          // An unfinished one keeps its place.
          byte[] bytes = reading.bytes();
          if (bytes != null) {
            found.put(name, bytes);
          }
        });
    // Only now: another batch may take the place of this one's results.
    unfinished.forEach(
        (name, reading) -> {
          CallBatch next;
          do {
            next = task.batch();
            reading.ask(next);
            next.run();
          } while (!reading.collect(next));
          found.put(name, reading.bytes());
        });
    return found;
  }
}
