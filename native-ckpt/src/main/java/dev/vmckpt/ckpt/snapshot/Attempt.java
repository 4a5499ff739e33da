// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.Captured;
import dev.vmckpt.ckpt.ProgressListener;
import dev.vmckpt.ckpt.SnapshotRequest;
import dev.vmckpt.ckpt.memory.HugePages;
import dev.vmckpt.ckpt.memory.PagesWriter;
import dev.vmckpt.ckpt.trace.ForkedChild;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.DetachContext;
import dev.vmckpt.spi.DiskKeeper;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.FailureException;
import dev.vmckpt.spi.remote.RemoteTask;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One attempt at a snapshot, from a plan to the last page of it. However it ends, the target runs
 * on, and everything that was begun is undone.
 */
final class Attempt {
  private final AdapterSet adapters;
  private final Planner planner;
  private final FileCloner cloner;
  private final SnapshotRequest request;
  private final Visits visits;
  private final ProgressListener progress;
  private final boolean last;
  private final Detachments detachments = new Detachments();

  /** What was planned anew on the way. */
  private final List<Plan> replanned = new ArrayList<>();

  private final List<String> notes;

  /**
   * @param visits what the adapters have met outside of the target
   * @param last whether there is none after it: it plans while the target is frozen, slower, and
   *     certain
   */
  Attempt(
      AdapterSet adapters,
      Planner planner,
      FileCloner cloner,
      SnapshotRequest request,
      Visits visits,
      ProgressListener progress,
      boolean last) {
    this.adapters = adapters;
    this.planner = planner;
    this.cloner = cloner;
    this.request = request;
    this.visits = visits;
    this.progress = progress;
    this.last = last;
    notes = new ArrayList<>(visits.notes());
  }

  /**
   * Makes it.
   *
   * @param plan of the running target, with nothing that stands in the way
   * @throws PlanOutdatedException if the target is another one by now than the plan says
   */
  Captured make(Plan plan) {
    notes.addAll(plan.notes());
    try (Lodging lodging = new Lodging(plan);
        PagesWriter writer = new PagesWriter(request.folder(), plan.innerPid())) {
      Recorder recorder = new Recorder(plan, lodging, request, cloner, notes);
      Recording recording;
      ForkedChild child = null;
      try {
        detach(recorder, lodging);
        // Seized and not stopped: the pause begins with the first interrupt.
        Freeze freeze = recorder.plan().seize();
        String created;
        long start;
        try (freeze) {
          created = Instant.now().toString();
          start = System.nanoTime();
          recording = record(freeze, recorder, lodging, writer);
          child = recording.child();
          if (child == null) {
            write(writer, plan.pid(), recorder.plan(), ProgressListener.SILENT);
          }
        }
        recording = recording.timed(created, (freeze.resumedNanos() - start) / 1000);
      } catch (RuntimeException e) {
        closeQuietly(child, e);
        detachments.resume(e);
        moveOut(recorder.plan(), lodging, child);
        throw e;
      }
      try {
        detachments.resume(null);
        visits.captured();
        if (child != null) {
          write(writer, child.pid(), recorder.plan(), progress);
        }
      } finally {
        if (child != null) {
          child.close();
        }
        moveOut(recorder.plan(), lodging, child);
        if (child != null) {
          HugePages.join(plan.pid(), recorder.plan().memory());
        }
      }
      detachments.finish();
      return recording.complete(recorder.plan(), writer, notes);
    } catch (IOException e) {
      throw new FailureException(
          "the snapshot cannot be written to " + request.folder() + ": " + e.getMessage(), e);
    } finally {
      replanned.forEach(Plan::close);
    }
  }

  /** Brings the outside to rest. */
  private void detach(Recorder recorder, Lodging lodging) {
    DetachContext context = new Context(lodging);
    detachments.detach(adapters, recorder.plan(), context, adapter -> !adapter.last());
    keepUp(recorder, lodging);
    detachments.detach(adapters, recorder.plan(), context, Adapter::last);
    if (!last) {
      // What is planned now is not planned in the pause.
      keepUp(recorder, lodging);
    }
  }

  /**
   * Plans anew if coming to rest made the target map or start something, as preparing does; each of
   * QEMU's first hundred coroutines maps a stack, and some write out its disks when it is stopped.
   */
  private void keepUp(Recorder recorder, Lodging lodging) {
    if (!holds(recorder.plan(), lodging)) {
      planAgain(recorder, lodging);
    }
  }

  private static boolean holds(Plan plan, Lodging lodging) {
    Set<Integer> closed = plan.census().closedSince(plan.pid());
    return closed != null
        && closed.isEmpty()
        && Maps.of(plan.pid(), lodging.tryLodger()).equals(plan.maps());
  }

  /** The pause, without its end. */
  private Recording record(Freeze freeze, Recorder recorder, Lodging lodging, PagesWriter writer) {
    freeze.stop();
    recorder.settle(freeze, detachments, last);
    if (last) {
      planAgain(recorder, lodging);
    }
    try {
      detachments.begin();
      if (!last) {
        recorder.checkPlan();
      }
      return recorder.record(freeze, detachments, writer);
    } finally {
      lodging.awaitRunning();
    }
  }

  /**
   * Plans anew when all that adapters carry was prepared already.
   *
   * @throws PlanOutdatedException if what was prepared is of no use for it
   */
  private void planAgain(Recorder recorder, Lodging lodging) {
    Plan old = recorder.plan();
    Plan plan = planner.planBeside(request, visits, lodging.tryLodger());
    replanned.add(plan);
    plan.refuse();
    Set<Integer> closed = old.census().closedSince(request.pid());
    if (!plan.sameOwners(closed == null ? old : old.without(closed))) {
      throw new PlanOutdatedException("its descriptors changed");
    }
    recorder.follow(plan);
  }

  private static void write(PagesWriter writer, int from, Plan plan, ProgressListener progress)
      throws IOException {
    writer.write(from, plan.pid(), plan.memory(), true, progress);
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

  private static void moveOut(Plan plan, Lodging lodging, @Nullable ForkedChild child) {
    lodging.moveOut(plan, child == null ? List.of() : List.of(child.innerPid()));
  }

  private final class Context implements DetachContext {
    private final Lodging lodging;

    Context(Lodging lodging) {
      this.lodging = lodging;
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
}
