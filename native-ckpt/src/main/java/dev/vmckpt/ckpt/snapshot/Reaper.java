// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.trace.BorrowedThread;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.ckpt.trace.InjectionPlace;
import dev.vmckpt.ckpt.trace.ProcessMemory;
import dev.vmckpt.spi.error.VmckptException;
import dev.vmckpt.spi.remote.Nr;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets the target take the exit status of the tasks that were made in it, so that no zombie stays:
 * a second stop, of microseconds. Also takes what earlier snapshots left that were killed half way.
 *
 * <p>A zombie does no harm, so nothing that goes wrong here is a failure of the snapshot.
 */
final class Reaper {
  private static final Logger LOG = LoggerFactory.getLogger(Reaper.class);
  private static final long WNOHANG = 1;
  private static final long WALL = 0x40000000L;

  private Reaper() {}

  static void reap(Plan plan, List<Integer> ended) {
    if (plan.gadgets() == null || ended.isEmpty()) {
      return;
    }
    try (ProcessMemory memory = new ProcessMemory(plan.pid());
        Freeze freeze = plan.seize()) {
      freeze.stop();
      InjectionPlace place = Recorder.place(freeze, plan.memory());
      try (BorrowedThread leader = freeze.borrow(freeze.leader(), plan.gadgets(), place, memory)) {
        for (int i = 0; i < ended.size(); i++) {
          leader.tryCall(Nr.WAIT4, ended.get(i), 0, WNOHANG | WALL, 0);
        }
        for (Plan.Child child : plan.children()) {
          if (child.ours() && plan.innerPid() == plan.pid()) {
            leader.tryCall(Nr.WAIT4, child.pid(), 0, WNOHANG | WALL, 0);
          }
        }
      }
    } catch (VmckptException e) {
      LOG.debug("a zombie stays in process {}", plan.pid(), e);
    }
  }
}
