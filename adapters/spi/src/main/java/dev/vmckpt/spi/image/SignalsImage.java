// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;

/**
 * The signals of a process.
 *
 * @param actions what is not the default, ascending by signal
 * @param pending the signals pending for the whole process, each a siginfo_t of 128 bytes
 * @param stopped whether the process had been stopped by a signal (job control)
 */
public record SignalsImage(List<Action> actions, List<byte[]> pending, boolean stopped) {

  /**
   * struct sigaction of the kernel.
   *
   * @param signal 1 to 64
   * @param handler SIG_IGN is 1
   * @param flags SA_*
   * @param restorer the trampoline to rt_sigreturn
   * @param mask blocked while the handler runs
   */
  public record Action(
      int signal, RemoteAddress handler, long flags, RemoteAddress restorer, long mask) {}
}
