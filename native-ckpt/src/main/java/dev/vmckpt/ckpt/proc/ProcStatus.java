// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import java.util.List;

/**
 * {@code /proc/PID/status} (proc_pid_status(5)); of a thread likewise.
 *
 * @param name the command name
 * @param umask the file mode mask, -1 when the kernel tells none (a zombie)
 * @param state {@code R}, {@code S}, {@code D}, {@code T}, {@code t}, {@code Z}, {@code X} or
 *     {@code I}
 * @param tgid the process
 * @param pid the thread
 * @param ppid the parent
 * @param tracerPid who traces it, 0 for nobody
 * @param userIds real, effective, saved, file system
 * @param groupIds real, effective, saved, file system
 * @param groups the supplementary groups
 * @param nsTgid the process in each pid namespace, ours first
 * @param nsPid the thread in each pid namespace
 * @param nsPgid the process group in each pid namespace
 * @param nsSid the session in each pid namespace
 * @param kernelThread whether it is a kernel thread
 * @param threads how many threads the process has
 * @param pending pending signals of the thread, bit n-1 for signal n
 * @param sharedPending pending signals of the process
 * @param blocked the signal mask
 * @param ignored ignored signals
 * @param caught signals with a handler
 * @param capabilities inheritable, permitted, effective, bounding, ambient
 * @param noNewPrivileges PR_GET_NO_NEW_PRIVS
 * @param seccomp 0 none, 1 strict, 2 filters
 * @param seccompFilters how many filters
 * @param threadFeatures {@code x86_Thread_features}, for example {@code shstk}
 */
public record ProcStatus(
    String name,
    int umask,
    char state,
    int tgid,
    int pid,
    int ppid,
    int tracerPid,
    List<Integer> userIds,
    List<Integer> groupIds,
    List<Integer> groups,
    List<Integer> nsTgid,
    List<Integer> nsPid,
    List<Integer> nsPgid,
    List<Integer> nsSid,
    boolean kernelThread,
    int threads,
    long pending,
    long sharedPending,
    long blocked,
    long ignored,
    long caught,
    List<Long> capabilities,
    boolean noNewPrivileges,
    int seccomp,
    int seccompFilters,
    List<String> threadFeatures) {

  /**
   * Reads the text; keys that are not known are passed over.
   *
   * @throws ProcFormatException if Name, State, Tgid, Pid, PPid, Uid or Gid is missing, or a value
   *     is no number
   */
  public static ProcStatus parse(String text) {
    return new Reader(text).status();
  }

  private static final class Reader {
    private final Cursor cursor;
    private String name = "";
    private int umask = -1;
    private char state;
    private int tgid;
    private int pid;
    private int ppid = -1;
    private int tracerPid;
    private List<Integer> userIds = List.of();
    private List<Integer> groupIds = List.of();
    private List<Integer> groups = List.of();
    private List<Integer> nsTgid = List.of();
    private List<Integer> nsPid = List.of();
    private List<Integer> nsPgid = List.of();
    private List<Integer> nsSid = List.of();
    private boolean kernelThread;
    private int threads;
    private long pending;
    private long sharedPending;
    private long blocked;
    private long ignored;
    private long caught;
    private long capInheritable;
    private long capPermitted;
    private long capEffective;
    private long capBounding;
    private long capAmbient;
    private boolean noNewPrivileges;
    private int seccomp;
    private int seccompFilters;
    private List<String> threadFeatures = List.of();

    Reader(String text) {
      cursor = new Cursor("status", text);
    }

    ProcStatus status() {
      while (!cursor.atEnd()) {
        int colon = cursor.position();
        String key = cursor.word();
        if (key.endsWith(":")) {
          cursor.blanks();
          value(key);
        } else if (cursor.position() == colon && !cursor.atLineEnd()) {
          throw cursor.failure("key");
        }
        cursor.nextLine();
      }
      if (state == 0 || tgid == 0 || pid == 0 || ppid < 0) {
        throw cursor.failure("State:, Tgid:, Pid: and PPid:");
      }
      if (userIds.size() != 4 || groupIds.size() != 4) {
        throw cursor.failure("four user and group ids");
      }
      return new ProcStatus(
          name,
          umask,
          state,
          tgid,
          pid,
          ppid,
          tracerPid,
          userIds,
          groupIds,
          groups,
          nsTgid,
          nsPid,
          nsPgid,
          nsSid,
          kernelThread,
          threads,
          pending,
          sharedPending,
          blocked,
          ignored,
          caught,
          List.of(capInheritable, capPermitted, capEffective, capBounding, capAmbient),
          noNewPrivileges,
          seccomp,
          seccompFilters,
          threadFeatures);
    }

    private void value(String key) {
      switch (key) {
        case "Name:" -> name = unescaped(cursor.restOfLine());
        case "Umask:" -> umask = cursor.octal("mask");
        case "State:" -> state = cursor.next("state");
        case "Tgid:" -> tgid = cursor.decimal32("number");
        case "Pid:" -> pid = cursor.decimal32("number");
        case "PPid:" -> ppid = cursor.decimal32("number");
        case "TracerPid:" -> tracerPid = cursor.decimal32("number");
        case "Uid:" -> userIds = cursor.decimals("user id");
        case "Gid:" -> groupIds = cursor.decimals("group id");
        case "Groups:" -> groups = cursor.decimals("group id");
        case "NStgid:" -> nsTgid = cursor.decimals("number");
        case "NSpid:" -> nsPid = cursor.decimals("number");
        case "NSpgid:" -> nsPgid = cursor.decimals("number");
        case "NSsid:" -> nsSid = cursor.decimals("number");
        case "Kthread:" -> kernelThread = cursor.decimal("flag") != 0;
        case "Threads:" -> threads = cursor.decimal32("number");
        case "SigPnd:" -> pending = cursor.hex("signals");
        case "ShdPnd:" -> sharedPending = cursor.hex("signals");
        case "SigBlk:" -> blocked = cursor.hex("signals");
        case "SigIgn:" -> ignored = cursor.hex("signals");
        case "SigCgt:" -> caught = cursor.hex("signals");
        case "CapInh:" -> capInheritable = cursor.hex("capabilities");
        case "CapPrm:" -> capPermitted = cursor.hex("capabilities");
        case "CapEff:" -> capEffective = cursor.hex("capabilities");
        case "CapBnd:" -> capBounding = cursor.hex("capabilities");
        case "CapAmb:" -> capAmbient = cursor.hex("capabilities");
        case "NoNewPrivs:" -> noNewPrivileges = cursor.decimal("flag") != 0;
        case "Seccomp:" -> seccomp = cursor.decimal32("mode");
        case "Seccomp_filters:" -> seccompFilters = cursor.decimal32("number");
        case "x86_Thread_features:" -> threadFeatures = cursor.words();
        default -> {}
      }
    }

    /** The kernel escapes the end of a line and the backslash itself, and no more. */
    private static String unescaped(String name) {
      if (name.indexOf('\\') < 0) {
        return name;
      }
      StringBuilder plain = new StringBuilder(name.length());
      for (int i = 0; i < name.length(); i++) {
        char c = name.charAt(i);
        if (c == '\\' && i + 1 < name.length()) {
          i++;
          plain.append(name.charAt(i) == 'n' ? '\n' : name.charAt(i));
        } else {
          plain.append(c);
        }
      }
      return plain.toString();
    }
  }
}
