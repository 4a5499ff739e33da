// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** Takes a snapshot of one process. All of it runs on the tracer thread. */
public final class SnapshotEngine {
  private static final int ATTEMPTS = 5;

  private final AdapterSet adapters;
  private final FileCloner cloner;
  private final Planner planner;

  public SnapshotEngine(AdapterSet adapters, FileCloner cloner) {
    this.adapters = adapters;
    this.cloner = cloner;
    planner = new Planner(adapters, cloner);
  }

  /**
   * Looks whether a request can be carried out at all, before any time is spent on it.
   *
   * @return the names of the adapters that carry something of the target
   * @throws RefusedException as {@link #take} would, if that cannot change by then
   */
  public Set<String> check(SnapshotRequest request) {
    try (Plan plan = planner.plan(request.pid(), request.drops())) {
      if (!takesAway(request)) {
        plan.refuse();
      }
      Set<String> concerned = new HashSet<>();
      for (Plan.Owned owned : plan.descriptors()) {
        if (owned.adapter() != null) {
          concerned.add(owned.adapter().name());
        }
      }
      return concerned;
    }
  }

  private boolean takesAway(SnapshotRequest request) {
    for (Adapter adapter : adapters.ordered()) {
      if (adapter.takesAway(request.options())) {
        return true;
      }
    }
    return false;
  }

  /**
   * Saves a process; it runs on.
   *
   * @return everything but the store's own words
   * @throws RefusedException if it holds something nobody carries; nothing was touched then
   */
  public Captured take(SnapshotRequest request, ProgressListener progress) {
    try (Visits visits = Visits.make(adapters, request, cloner)) {
      return take(request, visits, progress);
    }
  }

  private Captured take(SnapshotRequest request, Visits visits, ProgressListener progress) {
    for (int attempt = 1; ; attempt++) {
      try (Plan plan = planner.plan(request, visits)) {
        plan.refuse();
        boolean last = attempt == ATTEMPTS;
        return new Attempt(adapters, planner, cloner, request, visits, progress, last).make(plan);
      } catch (PlanOutdatedException e) {
        // The target mapped or opened something between the plan and the pause. It was let go at
        // once.
        if (attempt == ATTEMPTS) {
          throw new FailureException(
              "process "
                  + request.pid()
                  + " changes its memory map or its descriptors faster than they can be read;"
                  + " nothing was saved: try again when it is quieter",
              e);
        }
        empty(request.folder());
      }
    }
  }

  /** Takes away what an attempt before this one has left. */
  private static void empty(Path folder) {
    try {
      Folders.empty(folder);
    } catch (IOException e) {
      throw new FailureException("the snapshot cannot be begun anew in " + folder, e);
    }
  }

  /**
   * What adapters find when they look closer at what they claimed, by their names. Makes a lodger
   * if one of them wants it.
   *
   * @param refusals is added to: what only that closer look showed
   */
  Map<String, List<Finding>> examine(Plan plan, List<Refusal> refusals) {
    Map<String, List<Finding>> findings = new LinkedHashMap<>();
    Lodging lodging = new Lodging(plan);
    try {
      for (Adapter adapter : adapters.ordered()) {
        List<DescriptorResource> claimed = plan.claimedBy(adapter);
        if (claimed.isEmpty()) {
          continue;
        }
        try {
          List<Finding> found = adapter.examine(claimed, lodging);
          if (!found.isEmpty()) {
            findings.put(adapter.name(), found);
          }
        } catch (RefusedException e) {
          refusals.addAll(e.refusals());
        }
      }
    } finally {
      lodging.moveOut(plan, List.of());
    }
    return findings;
  }

  /** Lets adapters furnish a throwaway process with what they carry; see {@link Rehearsal}. */
  void furnish(int pid, Predicate<Adapter> which) {
    try (Plan plan = planner.plan(pid, Set.of())) {
      plan.refuse();
      Lodging lodging = new Lodging(plan);
      try {
        for (Adapter adapter : adapters.ordered()) {
          if (which.test(adapter)) {
            adapter.rehearse(lodging);
          }
        }
      } finally {
        lodging.moveOut(plan, List.of());
      }
    }
  }

  /** The plan of a process, without touching it. */
  Plan plan(int pid, Set<String> drops) {
    return planner.plan(pid, drops);
  }
}
