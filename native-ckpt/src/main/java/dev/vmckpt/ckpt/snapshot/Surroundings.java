// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.proc.KernelTasks;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.spi.error.Refusal;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a process shares with us although a snapshot cannot hold it: its namespaces. What it opens
 * by path or address again at a restore must mean the same then, so both have to be in the same
 * ones; of pid and time namespaces a restore makes new ones.
 */
final class Surroundings {
  private static final List<String> SHARED = List.of("mnt", "net", "ipc", "uts", "user");

  private Surroundings() {}

  /** The namespaces that differ from ours, and threads that stand elsewhere than their process. */
  static List<Refusal> refusals(int pid) {
    List<Refusal> refusals = new ArrayList<>();
    for (String kind : SHARED) {
      if (!link(ProcFs.of(pid, "ns/" + kind)).equals(link(Path.of("/proc/self/ns/" + kind)))) {
        refusals.add(
            new Refusal(
                "process:" + pid,
                "it runs in another namespace of kind '" + kind + "' than vmckpt",
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
    return refusals;
  }

  private static String longName(String kind) {
    return kind.equals("mnt") ? "mount" : kind;
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
