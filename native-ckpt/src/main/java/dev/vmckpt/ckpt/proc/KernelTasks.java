// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import dev.vmckpt.spi.error.TargetGoneException;

/**
 * Tells the kernel's own workers among the tasks of a process (io_uring, vhost, KVM's recovery
 * worker) by the flags in their {@code stat}. They are left alone: stopping one can hang the
 * process in the kernel, and what they hold is no business of the process.
 */
public final class KernelTasks {
  private KernelTasks() {}

  /** Whether a task is the kernel's; one that is gone meanwhile counts as such. */
  public static boolean isWorker(int pid, int tid) {
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
