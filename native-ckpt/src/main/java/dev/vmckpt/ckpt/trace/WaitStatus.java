// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

/** What wait4(2) says of a traced thread: a view of its status word. */
final class WaitStatus {
  static final int SIGTRAP = 5;
  static final int EVENT_CLONE = 3;
  static final int EVENT_FORK = 1;
  static final int EVENT_VFORK = 2;
  static final int EVENT_EXEC = 4;
  static final int EVENT_STOP = 128;
  private static final int SYSCALL_TRAP = SIGTRAP | 0x80;

  private WaitStatus() {}

  static boolean exited(int status) {
    return (status & 0x7f) == 0;
  }

  static boolean killed(int status) {
    return (status & 0x7f) != 0 && (status & 0xff) != 0x7f;
  }

  static boolean gone(int status) {
    return exited(status) || killed(status);
  }

  /** The signal of a stop; SIGTRAP for most of ptrace's own. */
  static int signal(int status) {
    return status >> 8 & 0xff;
  }

  /** PTRACE_EVENT_*, 0 if this is none. */
  static int event(int status) {
    return status >>> 16;
  }

  /** A stop at the entry or the exit of a system call. */
  static boolean isSyscall(int status) {
    return signal(status) == SYSCALL_TRAP;
  }

  /** The stop that PTRACE_INTERRUPT asks for, or the beginning of a traced child's life. */
  static boolean isEventStop(int status) {
    return event(status) == EVENT_STOP;
  }

  /** An event stop that stands for job control: the whole process has been stopped by a signal. */
  static boolean isGroupStop(int status) {
    return isEventStop(status) && signal(status) != SIGTRAP;
  }

  /** A stop before the delivery of a signal. */
  static boolean isSignal(int status) {
    return event(status) == 0 && !isSyscall(status);
  }

  /** The status as a shell says it: the exit code, or 128 + signal. */
  static int exitCode(int status) {
    return exited(status) ? status >> 8 & 0xff : 128 + (status & 0x7f);
  }
}
