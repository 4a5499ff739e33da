// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.proc.KernelTasks;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.error.Refusal;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What a process shares with us although a snapshot cannot hold it: its namespaces. What it opens
 * by path or address again at a restore must mean the same then, so both have to be in the same
 * ones, or the same for all that it has open ({@link MountView}); of pid and time namespaces a
 * restore makes new ones.
 *
 * @param refusals the namespaces that differ from ours, and threads that stand elsewhere than their
 *     process
 * @param note what of them comes back otherwise; empty for nothing
 */
record Surroundings(List<Refusal> refusals, String note) {
  private static final String MOUNT = "mnt";
  private static final String SAME_FILES =
      "it runs in a mount namespace of its own, where all that it has open is the same file as"
          + " here; comes back in vmckpt's";
  private static final List<String> SHARED = List.of(MOUNT, "net", "ipc", "uts", "user");

  /**
   * Those of a process.
   *
   * @param maps the text of its maps
   */
  static Surroundings of(int pid, String maps, List<DescriptorResource> descriptors) {
    List<Refusal> refusals = new ArrayList<>();
    String note = "";
    for (String kind : SHARED) {
      Set<String> others = Set.of();
      boolean elsewhere = isElsewhere(pid, kind);
      if (elsewhere && kind.equals(MOUNT)) {
        others = MountView.differences(pid, maps, descriptors, link(ProcFs.of(pid, "cwd")));
        elsewhere = !others.isEmpty();
        note = elsewhere ? "" : SAME_FILES;
      }
      if (elsewhere) {
        refusals.add(
            new Refusal(
                "process:" + pid,
                "it runs in another namespace of kind '"
                    + kind
                    + "' than vmckpt"
                    + (others.isEmpty()
                        ? ""
                        : ", where " + others.iterator().next() + " is another file"),
                "run vmckpt in there: nsenter --target "
                    + pid
                    + " --"
                    + longName(kind)
                    + " vmckpt …"));
      }
    }
    String[] threads = new File("/proc/" + pid + "/task").list();
    if (threads != null) {
      for (String thread : threads) {
        if (KernelTasks.isWorker(pid, Integer.parseInt(thread))) {
          continue;
        }
        for (String place : List.of("cwd", "root")) {
          String own = link(ProcFs.of(pid, "task/" + thread + "/" + place));
          if (!own.isEmpty() && !own.equals(link(ProcFs.of(pid, place)))) {
            refusals.add(
                new Refusal(
                    "thread:" + thread,
                    "its "
                        + place
                        + " is another than its process' (unshare(CLONE_FS)), which cannot be carried yet",
                    "nothing can be done about it with this version"));
          }
        }
      }
    }
    return new Surroundings(List.copyOf(refusals), note);
  }

  private static boolean isElsewhere(int pid, String kind) {
    return !link(ProcFs.of(pid, "ns/" + kind)).equals(link(Path.of("/proc/self/ns/" + kind)));
  }

  private static String longName(String kind) {
    return kind.equals(MOUNT) ? "mount" : kind;
  }

  /** What a link points to; empty if it is gone or not ours to see. */
  private static String link(Path path) {
    try {
      return Files.readSymbolicLink(path).toString();
    } catch (IOException e) {
      return "";
    }
  }
}
