// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.memory.FreeRange;
import dev.vmckpt.ckpt.proc.MapsParser;
import dev.vmckpt.ckpt.proc.ProcArea;
import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.ckpt.trace.Gadgets;
import dev.vmckpt.ckpt.trace.Leftovers;
import dev.vmckpt.ckpt.trace.Lodger;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.ExamineContext;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The lodger of one target, made when somebody needs it. */
final class Lodging implements ExamineContext, AutoCloseable {
  private final Plan plan;
  private @Nullable Lodger lodger;

  Lodging(Plan plan) {
    this.plan = plan;
  }

  @Override
  public int pid() {
    return plan.pid();
  }

  /** The lodger, made by stopping the running target for a moment if there is none yet. */
  @Override
  public Lodger lodger() {
    Lodger here = lodger;
    if (here != null) {
      return here;
    }
    Gadgets gadgets = plan.gadgets();
    if (gadgets == null) {
      throw new IllegalStateException("planned without gadgets");
    }
    try (ProcessMemory memory = new ProcessMemory(plan.pid());
        Freeze freeze = plan.seize()) {
      freeze.stop();
      List<ProcArea> areas = MapsParser.parse(ProcFs.read(ProcFs.of(plan.pid(), "maps")));
      FreeRange range = new FreeRange();
      for (ProcArea area : areas) {
        range.take(area.start(), area.end());
      }
      List<ProcArea> leftovers = Leftovers.deserted(plan.pid(), areas);
      try (BorrowedThread leader =
          freeze.borrow(freeze.leader(), gadgets, Recorder.place(freeze, plan.memory()), memory)) {
        here =
            Lodger.moveIn(
                leader, gadgets.syscall(), range.find(Lodger.WORKSPACE_BYTES), plan.filtered());
        lodger = here;
        for (ProcArea area : leftovers) {
          // Later: the plan was made with them there.
          here.takeAlong(area.start(), area.length());
        }
      }
    }
    return here;
  }

  /** Stops all threads of the target, not the lodger, while something is done. */
  @Override
  public void frozen(Runnable work) {
    try (Freeze freeze = plan.seize()) {
      freeze.stop();
      work.run();
    }
  }

  /** The lodger if there is one. */
  @Nullable Lodger tryLodger() {
    return lodger;
  }

  /**
   * The lodger inside the pause.
   *
   * @throws IllegalStateException if nobody asked for it while the target ran
   */
  Lodger present() {
    Lodger here = lodger;
    if (here == null) {
      throw new IllegalStateException("no lodger was asked for before the pause");
    }
    return here;
  }

  /** Waits for what was started in it and not waited for, if there is one. */
  void awaitRunning() {
    if (lodger != null) {
      lodger.awaitRunning();
    }
  }

  /**
   * Lets it move out, and the target take the exit status of all tasks that we made in it.
   *
   * @param newest the plan that was made last of the target
   * @param ended the numbers of other tasks of ours, as the target sees them
   */
  void moveOut(Plan newest, List<Integer> ended) {
    List<Integer> all = new ArrayList<>(ended);
    Lodger here = lodger;
    if (here != null) {
      here.close();
      all.add(here.innerPid());
    }
    Reaper.reap(newest, all);
  }

  /** Lets it move out; the target still has to take its exit status, see {@link Reaper}. */
  @Override
  public void close() {
    if (lodger != null) {
      lodger.close();
    }
  }
}
