// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi;

import dev.vmckpt.spi.remote.RemoteTask;

/** What an adapter may use while it looks closer, or furnishes an understudy; the process runs. */
public interface ExamineContext {
  int pid();

  /** A task of ours in the target's address space; made at the first call, gone afterwards. */
  RemoteTask lodger();

  /** Stops all threads of the process while {@code work} is done: milliseconds at most. */
  void frozen(Runnable work);
}
