// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

/**
 * {@code /proc/PID/stat} (proc_pid_stat(5)): what {@code status} does not tell.
 *
 * @param pid the process, or the thread
 * @param name the command name
 * @param state as in {@link ProcStatus}
 * @param ppid the parent
 * @param pgrp the process group
 * @param session the session
 * @param terminal the device number of its terminal, 0 for none
 * @param foreground the foreground process group of that terminal, -1 for none
 * @param flags PF_* of the kernel
 * @param nice -20 to 19
 * @param startTime when it began, in clock ticks since boot
 * @param startCode see prctl(PR_SET_MM), as all the following
 * @param endCode where its code ends
 * @param startStack the bottom of its stack
 * @param exitSignal what its parent is sent when it ends
 * @param realtimePriority 1 to 99, 0 for none
 * @param policy SCHED_*
 * @param startData where its data begins
 * @param endData where it ends
 * @param startBrk where its heap begins
 * @param argStart where its arguments begin
 * @param argEnd where they end
 * @param envStart where its environment begins
 * @param envEnd where it ends
 */
public record ProcStat(
    int pid,
    String name,
    char state,
    int ppid,
    int pgrp,
    int session,
    int terminal,
    int foreground,
    int flags,
    int nice,
    long startTime,
    long startCode,
    long endCode,
    long startStack,
    int exitSignal,
    int realtimePriority,
    int policy,
    long startData,
    long endData,
    long startBrk,
    long argStart,
    long argEnd,
    long envStart,
    long envEnd) {
  private static final int PF_IO_WORKER = 0x10;
  private static final int PF_USER_WORKER = 0x4000;
  private static final int PF_KTHREAD = 0x200000;

  /**
   * The fields of proc_pid_stat(5) by their numbers there; 3 is the state, the first behind the
   * name.
   */
  private static final int FIELDS = 51;

  /** Whether the kernel made this thread for itself: it runs no code of the process. */
  public boolean kernelWorker() {
    return (flags & (PF_IO_WORKER | PF_USER_WORKER | PF_KTHREAD)) != 0;
  }

  /**
   * Reads the text; the name may hold anything, parentheses and line ends included.
   *
   * @throws ProcFormatException if a field is missing or no number
   */
  public static ProcStat parse(String text) {
    Cursor head = new Cursor("stat", text);
    final int pid = head.decimal32("pid");
    head.expect(" (", "name in parentheses");
    int nameStart = head.position();
    int nameEnd = text.lastIndexOf(") ");
    if (nameEnd < nameStart) {
      throw head.failure("name in parentheses");
    }
    Cursor cursor = new Cursor("stat", text, nameEnd + 2, text.length());
    final char state = cursor.next("state");
    long[] fields = new long[FIELDS + 1];
    for (int i = 4; i <= FIELDS; i++) {
      cursor.expect(' ', "blank");
      fields[i] = cursor.decimal("number");
    }
    return new ProcStat(
        pid,
        text.substring(nameStart, nameEnd),
        state,
        (int) fields[4],
        (int) fields[5],
        (int) fields[6],
        (int) fields[7],
        (int) fields[8],
        (int) fields[9],
        (int) fields[19],
        fields[22],
        fields[26],
        fields[27],
        fields[28],
        (int) fields[38],
        (int) fields[40],
        (int) fields[41],
        fields[45],
        fields[46],
        fields[47],
        fields[48],
        fields[49],
        fields[50],
        fields[51]);
  }
}
