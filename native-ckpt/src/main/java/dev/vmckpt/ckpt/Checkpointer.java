// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt;

import dev.vmckpt.ckpt.proc.Life;
import dev.vmckpt.ckpt.raw.LinuxFileCloner;
import dev.vmckpt.ckpt.restore.RestoreEngine;
import dev.vmckpt.ckpt.snapshot.AdapterSet;
import dev.vmckpt.ckpt.snapshot.Inspector;
import dev.vmckpt.ckpt.snapshot.Rehearsal;
import dev.vmckpt.ckpt.snapshot.SnapshotEngine;
import dev.vmckpt.ckpt.trace.TracerThread;
import dev.vmckpt.spi.Adapter;
import dev.vmckpt.spi.FileCloner;
import dev.vmckpt.spi.error.TargetGoneException;
import dev.vmckpt.spi.error.VmckptException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * Saves running processes and brings them back. May be used by one thread at a time; holds an
 * operating-system thread until it is closed.
 */
public final class Checkpointer implements AutoCloseable {
  private final TracerThread tracer = new TracerThread();
  private final SnapshotEngine snapshots;
  private final RestoreEngine restores;
  private final Inspector inspector;

  /**
   * @param adapters those of device connections, in any order
   * @throws IllegalArgumentException if the orders they declare contradict each other
   */
  public Checkpointer(List<Adapter> adapters) {
    AdapterSet set = new AdapterSet(adapters);
    FileCloner cloner = new LinuxFileCloner();
    snapshots = new SnapshotEngine(set, cloner);
    restores = new RestoreEngine(set, cloner);
    inspector = new Inspector(snapshots);
  }

  /**
   * Says what a process holds, and who carries each piece. The process is not changed; it is
   * stopped for a moment if an adapter has to ask from inside what lies behind a descriptor.
   *
   * @param drops names of resources to leave out
   * @throws dev.vmckpt.spi.error.TargetGoneException if there is no such process
   * @throws dev.vmckpt.spi.error.NotPermittedException if it may not be looked at
   */
  public Inspection inspect(int pid, Set<String> drops) {
    return tracer.run(
        new Callable<Inspection>() {
          @Override
          public Inspection call() {
            return inspector.inspect(pid, drops);
          }
        });
  }

  /**
   * Saves a process into a folder; it runs on.
   *
   * @return what the store puts into the manifest; nothing is durable yet
   * @throws dev.vmckpt.spi.error.RefusedException if it holds something nobody carries; nothing was
   *     touched
   * @throws dev.vmckpt.spi.error.TargetGoneException if there is no such process, or it ended
   *     meanwhile
   * @throws dev.vmckpt.spi.error.NotPermittedException if it may not be traced
   * @throws dev.vmckpt.spi.error.FailureException if the folder cannot be written
   */
  public Captured snapshot(SnapshotRequest request, ProgressListener progress) {
    return tracer.run(
        new Callable<Captured>() {
          @Override
          public Captured call() {
            try {
              Set<String> concerned = snapshots.check(request);
              if (request.rehearse()) {
                Rehearsal.run(snapshots, concerned);
              }
              return snapshots.take(request, progress);
            } catch (VmckptException e) {
              throw explained(request.pid(), e);
            }
          }
        });
  }

  /** A target that ends while it is looked at shows in many ways: they all mean the one thing. */
  private static VmckptException explained(int pid, VmckptException e) {
    boolean gone = !(e instanceof TargetGoneException) && Life.hasEnded(pid, pid);
    return gone
        ? new TargetGoneException(
            "process " + pid + " ended while it was being saved; nothing was saved", e)
        : e;
  }

  /**
   * Lets every adapter make something like what it carries in a throwaway process.
   *
   * @param understudy where a snapshot can then run through everything for the first time
   */
  public void furnish(Understudy understudy) {
    tracer.run(
        new Callable<Boolean>() {
          @Override
          public Boolean call() {
            Rehearsal.furnish(snapshots, understudy.pid());
            return true;
          }
        });
  }

  /**
   * Brings a process back; it runs when this returns.
   *
   * @throws dev.vmckpt.spi.error.RefusedException if this machine cannot run it; nothing was built
   * @throws dev.vmckpt.spi.error.SnapshotException if the snapshot is damaged
   */
  public Restored restore(RestoreRequest request, ProgressListener progress) {
    return tracer.run(
        new Callable<Restored>() {
          @Override
          public Restored call() {
            return restores.restore(request);
          }
        });
  }

  /**
   * Waits until a restored process ends.
   *
   * @return its exit status, or 128 and the signal that ended it
   */
  public int awaitExit(Restored restored) {
    return Processes.awaitChild(restored.supervisor());
  }

  @Override
  public void close() {
    tracer.close();
  }
}
