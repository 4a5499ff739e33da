// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.image;

import dev.vmckpt.spi.remote.RemoteAddress;
import java.util.List;

/**
 * One thread.
 *
 * @param tid its number in the pid namespace it ran in
 * @param name its name (at most 15 bytes)
 * @param registers struct user_regs_struct of sys/user.h, ready to be resumed: an interrupted
 *     system call has already been turned into its restart
 * @param xstate the extended state in the standard format of XSAVE, as NT_X86_XSTATE gives it
 * @param signalMask the blocked signals, bit n-1 for signal n
 * @param pending the signals pending for this thread alone, each a siginfo_t of 128 bytes
 * @param alternateStack sigaltstack(2)
 * @param clearChildTid what set_tid_address(2) was given
 * @param robustList the head of the list of robust futexes
 * @param robustListBytes the length given with it
 * @param rseq its restartable sequence area
 * @param timerSlackNanos prctl(PR_GET_TIMERSLACK)
 * @param scheduling policy, priority, nice value, processors
 * @param seccomp its system call filters, oldest first, as struct sock_filter arrays
 * @param seccompMode 0 none, 1 strict, 2 filters
 */
public record ThreadImage(
    int tid,
    String name,
    byte[] registers,
    byte[] xstate,
    long signalMask,
    List<byte[]> pending,
    AlternateStack alternateStack,
    RemoteAddress clearChildTid,
    RemoteAddress robustList,
    long robustListBytes,
    Rseq rseq,
    long timerSlackNanos,
    Scheduling scheduling,
    int seccompMode,
    List<SeccompFilter> seccomp) {

  /**
   * sigaltstack(2).
   *
   * @param flags SS_DISABLE 2, SS_AUTODISARM 1 << 31
   */
  public record AlternateStack(RemoteAddress address, int flags, long bytes) {}

  /**
   * A registration of rseq(2).
   *
   * @param address NULL for none
   */
  public record Rseq(RemoteAddress address, int bytes, int signature) {}

  /**
   * sched_getattr(2) and sched_getaffinity(2).
   *
   * @param policy SCHED_OTHER 0, SCHED_FIFO 1, SCHED_RR 2, SCHED_BATCH 3, SCHED_IDLE 5
   * @param nice -20 to 19
   * @param priority 0, or 1 to 99 for a real-time policy
   * @param affinity a bit mask of processors
   */
  public record Scheduling(int policy, int nice, int priority, byte[] affinity) {}

  /**
   * One filter.
   *
   * @param flags SECCOMP_FILTER_FLAG_LOG 2 or 0
   * @param program struct sock_filter, 8 bytes each
   */
  public record SeccompFilter(int flags, byte[] program) {}
}
