// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.memory.HugePages;
import dev.vmckpt.ckpt.memory.PagesFile;
import dev.vmckpt.ckpt.memory.PagesWriter;
import dev.vmckpt.ckpt.trace.ForkedChild;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DescriptorResource;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.Detachment;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.error.RefusedException;
import dev.vmckpt.spi.image.FileEntry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
   * @throws RefusedException as {@link #take} would
   */
  public void check(SnapshotRequest request) {
    try (Plan plan = planner.plan(request.pid(), request.drops())) {
      refuse(plan);
    }
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
    for (int attempt = 1; ; attempt++) {
      try (Plan plan = planner.plan(request.pid(), request.drops())) {
        refuse(plan);
        return attempt(plan, request, progress, attempt == ATTEMPTS);
      } catch (PlanOutdatedException e) {
        // The target mapped or opened something between the plan and the pause. It was let go at
        // once.
        if (attempt == ATTEMPTS) {
          throw new FailureException(
              "process "
                  + request.pid()
                  + " changes its memory map or its descriptors faster than they can be read; nothing was"
                  + " saved: try again when it is quieter",
              e);
        }
      }
    }
  }

  private Captured attempt(
      Plan planned, SnapshotRequest request, ProgressListener progress, boolean last) {
    Plan plan = planned;
    Plan replanned = null;
    List<Detached> detached = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    for (Plan.Child ended : plan.children()) {
      if (!ended.ours()) {
        notes.add(
            "child "
                + ended.pid()
                + " ("
                + ended.name()
                + ") has ended and was not waited for: it does not come back, and waiting for it will"
                + " fail");
      }
    }
    Recorder recorder = new Recorder(plan, request, cloner, notes);
    try (PagesWriter writer = open(request.folder(), plan)) {
      Recording recording;
      ForkedChild child = null;
      try {
        detach(plan, request, progress, detached);
        long start;
        String created;
        // Seized and not stopped: the pause begins with the first interrupt.
        try (Freeze freeze =
            Freeze.seize(plan.pid(), plan.status().seccomp() != 0, KernelTasks.INSTANCE)) {
          created = Instant.now().toString();
          start = System.nanoTime();
          freeze.stop();
          if (last) {
            replanned = planInPause(plan, request);
            plan = replanned;
            recorder = new Recorder(plan, request, cloner, notes);
          } else {
            recorder.checkPlan();
          }
          recording = recorder.record(freeze, detached, writer);
          child = recording.child();
          if (child == null) {
            writer.write(plan.pid(), plan.pid(), plan.memory(), true, ProgressListener.SILENT);
          }
        }
        recording = recording.timed(created, (System.nanoTime() - start) / 1000);
      } catch (RuntimeException e) {
        closeQuietly(child, e);
        resume(detached, e);
        throw e;
      }
      try {
        resume(detached, null);
        if (child != null) {
          writer.write(child.pid(), plan.pid(), plan.memory(), true, progress);
        }
      } finally {
        if (child != null) {
          child.close();
          Reaper.reap(plan, child.innerPid());
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
      if (replanned != null) {
        replanned.close();
      }
    }
  }

  /**
   * A target that never holds still long enough is planned while it is frozen: slower, and certain.
   */
  private Plan planInPause(Plan old, SnapshotRequest request) {
    Plan plan = planner.planFrozen(request.pid(), request.drops());
    try {
      refuse(plan);
      if (!plan.sameOwners(old)) {
        throw new PlanOutdatedException("its descriptors changed");
      }
      return plan;
    } catch (RuntimeException e) {
      plan.close();
      throw e;
    }
  }

  private static PagesWriter open(Path folder, Plan plan) throws IOException {
    // What an attempt before this one has left.
    Path old = folder.resolve(PagesFile.pathOf(plan.innerPid()));
    Files.deleteIfExists(old);
    return new PagesWriter(folder, plan.innerPid());
  }

  /** An adapter whose connections are at rest. */
  record Detached(Adapter adapter, List<DescriptorResource> claimed, Detachment detachment) {}

  private void detach(
      Plan plan, SnapshotRequest request, ProgressListener progress, List<Detached> detached) {
    for (Adapter adapter : adapters.ordered()) {
      List<DescriptorResource> claimed = new ArrayList<>();
      for (Plan.Owned owned : plan.descriptors()) {
        if (owned.adapter() != null && owned.adapter().name().equals(adapter.name())) {
          claimed.add(owned.resource());
        }
      }
      Detachment detachment = adapter.detach(claimed, new Context(request, progress));
      detached.add(new Detached(adapter, claimed, detachment));
    }
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
    private final SnapshotRequest request;
    private final ProgressListener progress;

    Context(SnapshotRequest request, ProgressListener progress) {
      this.request = request;
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
    public Path folder() {
      return request.folder();
    }

    @Override
    public void announce(String message) {
      progress.announce(message);
    }
  }

  /** The plan of a process, without touching it. */
  Plan plan(int pid, Set<String> drops) {
    return planner.plan(pid, drops);
  }
}
