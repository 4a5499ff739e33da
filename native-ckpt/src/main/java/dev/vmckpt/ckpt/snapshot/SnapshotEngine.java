// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.memory.HugePages;
import dev.vmckpt.ckpt.memory.PagesWriter;
import dev.vmckpt.ckpt.trace.ForkedChild;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.ckpt.trace.Lodger;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.ExamineContext;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.Finding;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.Refusal;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.FileEntry;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

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
    try (Plan plan = planner.plan(request.pid(), request.drops(), true)) {
      if (!takesAway(request)) {
        refuse(plan);
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

  private static void refuse(Plan plan) {
    if (!plan.refusals().isEmpty()) {
      throw new RefusedException("snapshot of process " + plan.pid(), plan.refusals());
    }
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
      try (Plan plan = planner.plan(request.pid(), request.drops(), visits.canRest())) {
        refuse(plan);
        return attempt(plan, request, visits, progress, attempt == ATTEMPTS);
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

  private Captured attempt(
      Plan planned,
      SnapshotRequest request,
      Visits visits,
      ProgressListener progress,
      boolean last) {
    Plan plan = planned;
    List<Plan> replanned = new ArrayList<>();
    List<Detached> detached = new ArrayList<>();
    List<String> notes = new ArrayList<>(visits.notes());
    for (Plan.Child ended : plan.children()) {
      if (!ended.ours()) {
        notes.add(
            "child "
                + ended.pid()
                + " ("
                + ended.name()
                + ") has ended and was not waited for: it does not come back, and waiting for it"
                + " will fail");
      }
    }
    String elsewhere = Surroundings.note(plan.pid());
    if (!elsewhere.isEmpty()) {
      notes.add("process " + plan.pid() + ": " + elsewhere);
    }
    List<Integer> ended = new ArrayList<>();
    try (Lodging lodging = new Lodging(plan);
        PagesWriter writer = new PagesWriter(request.folder(), plan.innerPid())) {
      Recorder recorder = new Recorder(plan, lodging, request, cloner, notes);
      Recording recording;
      ForkedChild child = null;
      try {
        DetachContext context = new Context(lodging, request, visits, progress);
        detach(plan, context, adapter -> !adapter.last(), detached);
        if (!holds(plan, lodging)) {
          // What was prepared may have made the target map or start something.
          plan = planAgain(plan, lodging, request, visits.canRest(), replanned);
          recorder = new Recorder(plan, lodging, request, cloner, notes);
        }
        detach(plan, context, Adapter::last, detached);
        long start;
        String created;
        // Seized and not stopped: the pause begins with the first interrupt.
        Freeze freeze = plan.seize();
        try (freeze) {
          created = Instant.now().toString();
          start = System.nanoTime();
          freeze.stop();
          recorder.settle(freeze, detached, last);
          if (last) {
            plan = planAgain(plan, lodging, request, visits.canRest(), replanned);
            recorder = new Recorder(plan, lodging, request, cloner, notes);
          }
          try {
            Recorder.begin(detached);
            if (!last) {
              plan = recorder.checkPlan();
              recorder = new Recorder(plan, lodging, request, cloner, notes);
            }
            recording = recorder.record(freeze, detached, writer);
          } finally {
            lodging.awaitRunning();
          }
          child = recording.child();
          if (child == null) {
            writer.write(plan.pid(), plan.pid(), plan.memory(), true, ProgressListener.SILENT);
          }
        }
        recording = recording.timed(created, (freeze.resumedNanos() - start) / 1000);
      } catch (RuntimeException e) {
        closeQuietly(child, e);
        resume(detached, e);
        if (child != null) {
          ended.add(child.innerPid());
        }
        moveOut(plan, lodging, ended);
        throw e;
      }
      try {
        resume(detached, null);
        visits.captured();
        if (child != null) {
          writer.write(child.pid(), plan.pid(), plan.memory(), true, progress);
        }
      } finally {
        if (child != null) {
          child.close();
          ended.add(child.innerPid());
        }
        moveOut(plan, lodging, ended);
        if (child != null) {
          HugePages.join(plan.pid(), plan.memory());
        }
      }
      finishAdapters(detached);
      Map<String, FileEntry> files = new LinkedHashMap<>();
      return recording.complete(plan, writer, files, notes);
    } catch (IOException e) {
      throw new FailureException(
          "the snapshot cannot be written to " + request.folder() + ": " + e.getMessage(), e);
    } finally {
      replanned.forEach(Plan::close);
    }
  }

  private static boolean holds(Plan plan, Lodging lodging) {
    Set<Integer> closed = plan.census().closedSince(plan.pid());
    return closed != null
        && closed.isEmpty()
        && Maps.of(plan.pid(), lodging.tryLodger()).equals(plan.maps());
  }

  /**
   * Plans anew when all that adapters carry was prepared already. A target that never holds still
   * long enough is planned so while it is frozen: slower, and certain.
   *
   * @param replanned is told of the plan, so that it is closed
   * @throws PlanOutdatedException if what was prepared is of no use for it
   */
  private Plan planAgain(
      Plan old, Lodging lodging, SnapshotRequest request, boolean canRest, List<Plan> replanned) {
    Plan plan = planner.planBeside(request.pid(), request.drops(), canRest, lodging.tryLodger());
    replanned.add(plan);
    refuse(plan);
    Set<Integer> closed = old.census().closedSince(request.pid());
    if (!plan.sameOwners(closed == null ? old : old.without(closed))) {
      throw new PlanOutdatedException("its descriptors changed");
    }
    return plan;
  }

  /** Ends the lodger, and lets the target take the exit status of all tasks we made in it. */
  private static void moveOut(Plan plan, Lodging lodging, List<Integer> ended) {
    Lodger lodger = lodging.tryLodger();
    if (lodger != null) {
      lodger.close();
      ended.add(lodger.innerPid());
    }
    Reaper.reap(plan, ended);
  }

  /** Takes away what an attempt before this one has left. */
  private static void empty(Path folder) {
    try {
      Folders.empty(folder);
    } catch (IOException e) {
      throw new FailureException("the snapshot cannot be begun anew in " + folder, e);
    }
  }

  /** An adapter whose connections are at rest. */
  record Detached(Adapter adapter, List<DescriptorResource> claimed, Detachment detachment) {}

  private void detach(
      Plan plan, DetachContext context, Predicate<Adapter> which, List<Detached> detached) {
    for (Adapter adapter : adapters.ordered()) {
      if (!which.test(adapter)) {
        continue;
      }
      List<DescriptorResource> claimed = claimed(plan, adapter);
      Detachment detachment = adapter.detach(claimed, context);
      detached.add(new Detached(adapter, claimed, detachment));
    }
  }

  private static List<DescriptorResource> claimed(Plan plan, Adapter adapter) {
    List<DescriptorResource> claimed = new ArrayList<>();
    for (Plan.Owned owned : plan.descriptors()) {
      if (owned.adapter() != null && owned.adapter().name().equals(adapter.name())) {
        claimed.add(owned.resource());
      }
    }
    return claimed;
  }

  /** Undoes every detaching, last first; all failures are kept. */
  private static void resume(List<Detached> detached, @Nullable RuntimeException earlier) {
    RuntimeException failure = earlier;
    for (int i = detached.size() - 1; i >= 0; i--) {
      try {
        detached.get(i).detachment().resume();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (earlier == null && failure != null) {
      throw failure;
    }
  }

  private static void finishAdapters(List<Detached> detached) {
    for (Detached one : detached) {
      one.detachment().finish();
    }
  }

  private static void closeQuietly(@Nullable ForkedChild child, RuntimeException because) {
    if (child != null) {
      try {
        child.close();
      } catch (RuntimeException e) {
        because.addSuppressed(e);
      }
    }
  }

  private final class Context implements DetachContext {
    private final Lodging lodging;
    private final SnapshotRequest request;
    private final Visits visits;
    private final ProgressListener progress;

    Context(Lodging lodging, SnapshotRequest request, Visits visits, ProgressListener progress) {
      this.lodging = lodging;
      this.request = request;
      this.visits = visits;
      this.progress = progress;
    }

    @Override
    public int pid() {
      return request.pid();
    }

    @Override
    public FileCloner cloner() {
      return cloner;
    }

    @Override
    public List<DiskKeeper> keepers() {
      return visits.keepers();
    }

    @Override
    public Path folder() {
      return request.folder();
    }

    @Override
    public RemoteTask lodger() {
      return lodging.lodger();
    }

    @Override
    public void frozen(Runnable work) {
      lodging.frozen(work);
    }

    @Override
    public void announce(String message) {
      progress.announce(message);
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
        List<DescriptorResource> claimed = claimed(plan, adapter);
        if (claimed.isEmpty()) {
          continue;
        }
        try {
          List<Finding> found = adapter.examine(claimed, new Examining(plan, lodging));
          if (!found.isEmpty()) {
            findings.put(adapter.name(), found);
          }
        } catch (RefusedException e) {
          refusals.addAll(e.refusals());
        }
      }
    } finally {
      moveOut(plan, lodging, new ArrayList<>());
    }
    return findings;
  }

  private record Examining(Plan plan, Lodging lodging) implements ExamineContext {
    @Override
    public int pid() {
      return plan.pid();
    }

    @Override
    public RemoteTask lodger() {
      return lodging.lodger();
    }

    @Override
    public void frozen(Runnable work) {
      lodging.frozen(work);
    }
  }

  /** Lets adapters furnish a throwaway process with what they carry; see {@link Rehearsal}. */
  void furnish(int pid, Predicate<Adapter> which) {
    try (Plan plan = planner.plan(pid, Set.of(), true)) {
      refuse(plan);
      Lodging lodging = new Lodging(plan);
      try {
        for (Adapter adapter : adapters.ordered()) {
          if (which.test(adapter)) {
            adapter.rehearse(new Examining(plan, lodging));
          }
        }
      } finally {
        moveOut(plan, lodging, new ArrayList<>());
      }
    }
  }

  /** The plan of a process, without touching it. */
  Plan plan(int pid, Set<String> drops) {
    return planner.plan(pid, drops, true);
  }
}
