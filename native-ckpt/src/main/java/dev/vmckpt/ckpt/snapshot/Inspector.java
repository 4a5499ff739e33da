// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.Inspection;
import dev.vmckpt.ckpt.Inspection.Resource;
import dev.vmckpt.ckpt.Inspection.Verdict;
import dev.vmckpt.ckpt.proc.KernelTasks;
import dev.vmckpt.ckpt.proc.ProcTimers;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.TargetGoneException;
import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Turns a plan into what people read: each resource, its owner, and what becomes of it. */
public final class Inspector {
  private static final String GENERIC = "checkpointer";

  private final SnapshotEngine engine;

  public Inspector(SnapshotEngine engine) {
    this.engine = engine;
  }

  /** Looks at a process without touching it. */
  public Inspection inspect(int pid, Set<String> drops) {
    try (Plan plan = engine.plan(pid, drops)) {
      return describe(plan);
    }
  }

  private Inspection describe(Plan plan) {
    List<Resource> resources = new ArrayList<>();
    List<Refusal> refusals = new ArrayList<>();
    boolean enterable = plan.gadgets() != null;
    for (Refusal refusal : plan.refusals()) {
      if (refusal.resource().startsWith("process:")) {
        refusals.add(refusal);
        // Traced by another, or filtered to death: nothing can be asked from inside.
        enterable = false;
      }
    }
    Map<String, List<Finding>> findings = Map.of();
    if (enterable) {
      findings = engine.examine(plan, refusals);
    }
    for (Refusal refusal : refusals) {
      resources.add(
          new Resource(
              "process",
              refusal.resource(),
              plan.status().name(),
              "nobody",
              Verdict.REFUSED,
              refusal.why(),
              refusal.remedy()));
    }
    if (!plan.elsewhere().isEmpty() && enterable) {
      resources.add(
          new Resource(
              "process",
              "process:" + plan.pid(),
              plan.status().name(),
              GENERIC,
              Verdict.CHANGED,
              plan.elsewhere(),
              null));
    }
    addThreads(plan, resources);
    for (@Nullable String[] area : plan.memory().describe()) {
      boolean refused = area[3] != null;
      resources.add(
          new Resource(
              "area",
              text(area[0]),
              text(area[1]),
              refused ? "nobody" : area[5] == null ? GENERIC : area[5],
              refused ? Verdict.REFUSED : Verdict.CARRIED,
              text(refused ? area[3] : area[2]),
              area[4]));
    }
    for (Plan.Owned owned : plan.descriptors()) {
      resources.add(
          new Resource(
              "descriptor",
              numbers(owned),
              owned.resource().link(),
              owned.owner(),
              verdict(owned),
              owned.refusal() == null ? owned.summary() : owned.refusal(),
              owned.remedy()));
    }
    for (ProcTimers.Timer timer : plan.timers()) {
      resources.add(
          new Resource(
              "timer",
              "timer:" + timer.id(),
              "POSIX timer",
              GENERIC,
              Verdict.CARRIED,
              "goes on where it was",
              null));
    }
    for (Plan.Child child : plan.children()) {
      resources.add(
          new Resource(
              "child",
              "child:" + child.pid(),
              child.name(),
              child.ended() ? GENERIC : "nobody",
              child.ended() ? Verdict.CHANGED : Verdict.REFUSED,
              child.ended()
                  ? "has ended and was not waited for; it does not come back"
                  : "only single processes are saved yet",
              child.ended() ? null : "end it, or start the target without it"));
    }
    return new Inspection(plan.pid(), plan.status().name(), List.copyOf(resources), findings);
  }

  private static void addThreads(Plan plan, List<Resource> resources) {
    String[] names = new File("/proc/" + plan.pid() + "/task").list();
    if (names == null) {
      throw new TargetGoneException("process " + plan.pid() + " went away");
    }
    Arrays.sort(names);
    for (String name : names) {
      boolean kernel = KernelTasks.isWorker(plan.pid(), Integer.parseInt(name));
      resources.add(
          new Resource(
              "thread",
              "thread:" + name,
              kernel ? "kernel worker" : "thread",
              kernel ? "kernel" : GENERIC,
              Verdict.CARRIED,
              kernel ? "the kernel's own, never touched" : "registers, signals, names",
              null));
    }
  }

  private static String numbers(Plan.Owned owned) {
    StringBuilder text = new StringBuilder("fd:");
    for (int i = 0; i < owned.resource().numbers().size(); i++) {
      text.append(i == 0 ? "" : ",").append(owned.resource().numbers().get(i).number());
    }
    return text.toString();
  }

  private static Verdict verdict(Plan.Owned owned) {
    if (owned.dropped()) {
      return Verdict.DROPPED;
    }
    if (owned.refusal() != null) {
      return Verdict.REFUSED;
    }
    return owned.changed() ? Verdict.CHANGED : Verdict.CARRIED;
  }

  private static String text(@Nullable String value) {
    return value == null ? "" : value;
  }
}
