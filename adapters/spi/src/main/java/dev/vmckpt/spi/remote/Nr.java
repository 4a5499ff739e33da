// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.remote;

/**
 * The system call numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) that are made in other
 * processes.
 */
public final class Nr {
  public static final int READ = 0;
  public static final int WRITE = 1;
  public static final int OPEN = 2;
  public static final int CLOSE = 3;
  public static final int POLL = 7;
  public static final int LSEEK = 8;
  public static final int MMAP = 9;
  public static final int MPROTECT = 10;
  public static final int MUNMAP = 11;
  public static final int BRK = 12;
  public static final int RT_SIGACTION = 13;
  public static final int RT_SIGPROCMASK = 14;
  public static final int RT_SIGRETURN = 15;
  public static final int IOCTL = 16;
  public static final int PREAD64 = 17;
  public static final int PWRITE64 = 18;
  public static final int MREMAP = 25;
  public static final int MADVISE = 28;
  public static final int DUP = 32;
  public static final int DUP2 = 33;
  public static final int GETITIMER = 36;
  public static final int SETITIMER = 38;
  public static final int GETPID = 39;
  public static final int SOCKET = 41;
  public static final int CONNECT = 42;
  public static final int ACCEPT = 43;
  public static final int SENDTO = 44;
  public static final int RECVFROM = 45;
  public static final int SENDMSG = 46;
  public static final int SHUTDOWN = 48;
  public static final int BIND = 49;
  public static final int LISTEN = 50;
  public static final int GETSOCKNAME = 51;
  public static final int SOCKETPAIR = 53;
  public static final int SETSOCKOPT = 54;
  public static final int GETSOCKOPT = 55;
  public static final int CLONE = 56;
  public static final int EXIT = 60;
  public static final int WAIT4 = 61;
  public static final int KILL = 62;
  public static final int FCNTL = 72;
  public static final int FTRUNCATE = 77;
  public static final int CHDIR = 80;
  public static final int UNLINK = 87;
  public static final int UMASK = 95;
  public static final int PTRACE = 101;
  public static final int SETPGID = 109;
  public static final int SETSID = 112;
  public static final int SETGROUPS = 116;
  public static final int SETRESUID = 117;
  public static final int SETRESGID = 119;
  public static final int CAPSET = 126;
  public static final int RT_SIGQUEUEINFO = 129;
  public static final int SIGALTSTACK = 131;
  public static final int PERSONALITY = 135;
  public static final int MLOCK = 149;
  public static final int PRCTL = 157;
  public static final int ARCH_PRCTL = 158;
  public static final int CHROOT = 161;
  public static final int GETTID = 186;
  public static final int FUTEX = 202;
  public static final int SET_TID_ADDRESS = 218;
  public static final int RESTART_SYSCALL = 219;
  public static final int TIMER_CREATE = 222;
  public static final int TIMER_SETTIME = 223;
  public static final int TIMER_GETTIME = 224;
  public static final int TIMER_GETOVERRUN = 225;
  public static final int TIMER_DELETE = 226;
  public static final int CLOCK_GETTIME = 228;
  public static final int CLOCK_NANOSLEEP = 230;
  public static final int EXIT_GROUP = 231;
  public static final int EPOLL_CTL = 233;
  public static final int OPENAT = 257;
  public static final int UNSHARE = 272;
  public static final int SET_ROBUST_LIST = 273;
  public static final int TIMERFD_CREATE = 283;
  public static final int TIMERFD_SETTIME = 286;
  public static final int ACCEPT4 = 288;
  public static final int SIGNALFD4 = 289;
  public static final int EVENTFD2 = 290;
  public static final int EPOLL_CREATE1 = 291;
  public static final int DUP3 = 292;
  public static final int PIPE2 = 293;
  public static final int PREADV = 295;
  public static final int RT_TGSIGQUEUEINFO = 297;
  public static final int PRLIMIT64 = 302;
  public static final int SETNS = 308;
  public static final int SECCOMP = 317;
  public static final int MEMFD_CREATE = 319;
  public static final int MLOCK2 = 325;
  public static final int RSEQ = 334;
  public static final int CLONE3 = 435;
  public static final int CLOSE_RANGE = 436;

  private Nr() {}
}
