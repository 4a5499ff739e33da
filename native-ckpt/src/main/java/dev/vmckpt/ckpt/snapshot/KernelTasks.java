// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.snapshot;

import dev.vmckpt.ckpt.proc.ProcFs;
import dev.vmckpt.ckpt.proc.ProcStat;
import dev.vmckpt.ckpt.trace.Freeze;
import dev.vmckpt.spi.error.TargetGoneException;

/**
 * Tells the kernel's own workers among the tasks of a process by the flags in their {@code stat}.
 */
enum KernelTasks implements Freeze.KernelWorkers {
  INSTANCE;

  @Override
  public boolean isKernelWorker(int pid, int tid) {
    if (pid == tid) {
      return false;
    }
    try {
      return ProcStat.parse(ProcFs.read(ProcFs.of(pid, "task/" + tid + "/stat"))).kernelWorker();
    } catch (TargetGoneException e) {
      return true;
    }
  }
}
