// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import dev.vmckpt.ckpt.raw.NativeBuffer;
import dev.vmckpt.spi.error.Errno;
import dev.vmckpt.spi.remote.Nr;
import dev.vmckpt.spi.remote.ThreadCall;
import dev.vmckpt.spi.remote.Tid;
import java.util.List;

/**
 * The general registers of a thread: struct user_regs_struct of arch/x86/include/asm/user_64.h.
 *
 * <pre>
 *   0 r15   8 r14  16 r13  24 r12  32 rbp  40 rbx  48 r11  56 r10  64 r9   72 r8   80 rax  88 rcx
 *  96 rdx 104 rsi 112 rdi 120 orig_rax    128 rip 136 cs  144 eflags      152 rsp 160 ss
 * 168 fs_base    176 gs_base    184 ds   192 es  200 fs  208 gs          216
 * </pre>
 */
public final class Registers {
  /** The size of the structure in bytes. */
  public static final int BYTES = 216;

  static final int R15 = 0;
  static final int R14 = 8;
  static final int R13 = 16;
  static final int R12 = 24;
  static final int RBP = 32;
  static final int RBX = 40;
  static final int R11 = 48;
  static final int R10 = 56;
  static final int R9 = 64;
  static final int R8 = 72;
  static final int RAX = 80;
  static final int RCX = 88;
  static final int RDX = 96;
  static final int RSI = 104;
  static final int RDI = 112;
  static final int ORIG_RAX = 120;
  static final int RIP = 128;
  static final int CS = 136;
  static final int EFLAGS = 144;
  static final int RSP = 152;
  static final int SS = 160;
  static final int FS_BASE = 168;
  static final int GS_BASE = 176;

  /** The code segment of a 64-bit program (arch/x86/include/asm/segment.h). */
  private static final long USER_CS = 0x33;

  /**
   * semop, rt_sigtimedwait, io_getevents, semtimedop, epoll_wait, epoll_pwait, io_pgetevents,
   * epoll_pwait2: they return EINTR for a mere stop.
   */
  private static final int[] NEVER_RESTARTED = {65, 128, 208, 220, 232, 281, 333, 441};

  /** ioctl(KVM_RUN) of include/uapi/linux/kvm.h: it too returns EINTR for a mere stop. */
  private static final long KVM_RUN = 0xae80;

  private static final int ERESTARTSYS = -512;
  private static final int ERESTARTNOINTR = -513;
  private static final int ERESTARTNOHAND = -514;
  private static final int ERESTART_RESTARTBLOCK = -516;
  private static final int SYSCALL_INSTRUCTION_BYTES = 2;

  private final NativeBuffer buffer = new NativeBuffer(BYTES);

  /** Zeroed registers. */
  public Registers() {}

  /** Registers with the given content, {@link #BYTES} long. */
  public Registers(byte[] content) {
    buffer.bytes().put(0, content, 0, BYTES);
  }

  long address() {
    return buffer.address();
  }

  long get(int offset) {
    return buffer.bytes().getLong(offset);
  }

  void set(int offset, long value) {
    buffer.bytes().putLong(offset, value);
  }

  void copyFrom(Registers other) {
    buffer.bytes().put(0, other.buffer.bytes(), 0, BYTES);
  }

  /** A copy of the structure. */
  public byte[] toBytes() {
    return buffer.copy(0, BYTES);
  }

  /**
   * Points the registers at a {@code syscall} instruction, outside of any call, with the arguments
   * of one in them.
   */
  void setCall(long instruction, int number, long a, long b, long c, long d, long e, long f) {
    set(RIP, instruction);
    set(ORIG_RAX, -1);
    set(RAX, number);
    set(RDI, a);
    set(RSI, b);
    set(RDX, c);
    set(R10, d);
    set(R8, e);
    set(R9, f);
  }

  /** The instruction pointer. */
  public long instructionPointer() {
    return get(RIP);
  }

  /** The stack pointer. */
  public long stackPointer() {
    return get(RSP);
  }

  /** Whether the thread runs 64-bit code. */
  boolean is64Bit() {
    return get(CS) == USER_CS;
  }

  /**
   * Turns a system call that the stop interrupted into its restart, as the kernel would on the way
   * out of the stop (arch_do_signal_or_restart of arch/x86/kernel/signal.c), and marks the
   * registers as outside of any system call.
   *
   * @param anew how to go on with a call that keeps its progress in the kernel (-516): true
   *     re-issues the original call, the only way once the kernel's memory of it is gone; false
   *     calls restart_syscall
   */
  void finishInterruptedCall(boolean anew, boolean signalPending) {
    long call = get(ORIG_RAX);
    long result = get(RAX);
    if (call >= 0 && result < 0 && result >= ERESTART_RESTARTBLOCK) {
      boolean restart =
          result == ERESTARTSYS || result == ERESTARTNOINTR || result == ERESTARTNOHAND;
      if (restart || result == ERESTART_RESTARTBLOCK) {
        set(RAX, restart || anew ? call : Nr.RESTART_SYSCALL);
        set(RIP, get(RIP) - SYSCALL_INSTRUCTION_BYTES);
      }
    }
    if (!signalPending && endedByStop()) {
      set(RAX, call);
      set(RIP, get(RIP) - SYSCALL_INSTRUCTION_BYTES);
    }
    set(ORIG_RAX, -1);
  }

  /** Whether it has just left a call that the kernel ends for a mere stop, and never restarts. */
  boolean endedByStop() {
    long call = get(ORIG_RAX);
    return get(RAX) == -Errno.EINTR
        && (neverRestarted(call) || (call == Nr.IOCTL && (get(RSI) & 0xffffffffL) == KVM_RUN));
  }

  /** The system call the thread stands in or has just left; negative for none. */
  long call() {
    return get(ORIG_RAX);
  }

  /** Where a thread with these registers stands. */
  ThreadCall threadCall(Tid tid) {
    long call = call();
    return new ThreadCall(
        tid,
        call < 0 ? ThreadCall.NONE : (int) call,
        List.of(get(RDI), get(RSI), get(RDX), get(R10), get(R8), get(R9)),
        get(RAX));
  }

  /** Points a thread that has just left a call at that call again. */
  void repeatCall() {
    set(RAX, get(ORIG_RAX));
    set(RIP, get(RIP) - SYSCALL_INSTRUCTION_BYTES);
    set(ORIG_RAX, -1);
  }

  private static boolean neverRestarted(long call) {
    for (int number : NEVER_RESTARTED) {
      if (call == number) {
        return true;
      }
    }
    return false;
  }
}
