// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.trace;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A frame that rt_sigreturn(2) turns into the registers of a thread: struct rt_sigframe of
 * arch/x86/include/asm/sigframe.h with struct ucontext and struct sigcontext_64 in it.
 *
 * <pre>
 *   0 pretcode
 *   8 uc_flags   16 uc_link   24 ss_sp   32 ss_flags   40 ss_size
 *  48 r8 r9 r10 r11 r12 r13 r14 r15   112 rdi rsi rbp rbx rdx rax rcx rsp rip   184 eflags
 * 192 cs gs fs ss (16 bits each)   200 err  208 trapno  216 oldmask  224 cr2   232 fpstate
 * 240 reserved × 8    304 uc_sigmask    312 siginfo (128)    440
 * then, aligned to 64, the extended state in XSAVE's standard format and FP_XSTATE_MAGIC2
 * </pre>
 */
final class SignalFrame {
  private static final int HEAD_BYTES = 440;
  private static final int XSTATE_ALIGNMENT = 64;
  private static final int SOFTWARE_RESERVED = 464;
  private static final int MAGIC1 = 0x46505853;
  private static final int MAGIC2 = 0x46505845;
  private static final long UC_FP_XSTATE = 1;
  private static final long UC_SIGCONTEXT_SS = 2;
  private static final long UC_STRICT_RESTORE_SS = 4;

  /** No mode of sigaltstack(2): the kernel refuses it and keeps the alternate stack as it is. */
  private static final int NO_ALTERNATE_STACK_CHANGE = 7;

  private SignalFrame() {}

  /** How many bytes a frame with that much extended state takes at most. */
  static int bytes(int xstateBytes) {
    return HEAD_BYTES + XSTATE_ALIGNMENT + xstateBytes + Integer.BYTES;
  }

  /**
   * The bytes of a frame.
   *
   * @param at where it will lie; the thread's stack pointer must be {@code at + 8} at rt_sigreturn
   * @param restorer where a signal handler would return to: the address of an rt_sigreturn
   * @param registers what the thread gets
   * @param xstate its extended state, or empty for a fresh one
   * @param mask its blocked signals
   */
  static byte[] encode(long at, long restorer, Registers registers, byte[] xstate, long mask) {
    ByteBuffer frame = ByteBuffer.allocate(bytes(xstate.length)).order(ByteOrder.LITTLE_ENDIAN);
    frame.putLong(0, restorer);
    frame.putLong(
        8, UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (xstate.length > 0 ? UC_FP_XSTATE : 0));
    frame.putInt(32, NO_ALTERNATE_STACK_CHANGE);
    int place = 48;
    for (int register : ORDER) {
      frame.putLong(place, registers.get(register));
      place += Long.BYTES;
    }
    frame.putShort(192, (short) registers.get(Registers.CS));
    frame.putShort(198, (short) registers.get(Registers.SS));
    frame.putLong(304, mask);
    if (xstate.length > 0) {
      int offset = (int) (align(at + HEAD_BYTES) - at);
      frame.putLong(232, at + offset);
      frame.put(offset, xstate);
      // struct _fpx_sw_bytes { u32 magic1; u32 extended_size; u64 xfeatures; u32 xstate_size; … }
      frame.putInt(offset + SOFTWARE_RESERVED, MAGIC1);
      frame.putInt(offset + SOFTWARE_RESERVED + 4, xstate.length + Integer.BYTES);
      frame.putLong(offset + SOFTWARE_RESERVED + 8, ~0L);
      frame.putInt(offset + SOFTWARE_RESERVED + 16, xstate.length);
      frame.putInt(offset + xstate.length, MAGIC2);
    }
    return frame.array();
  }

  private static long align(long address) {
    return (address + XSTATE_ALIGNMENT - 1) & -XSTATE_ALIGNMENT;
  }

  private static final int[] ORDER = {
    Registers.R8, Registers.R9, Registers.R10, Registers.R11, Registers.R12, Registers.R13,
    Registers.R14, Registers.R15, Registers.RDI, Registers.RSI, Registers.RBP, Registers.RBX,
    Registers.RDX, Registers.RAX, Registers.RCX, Registers.RSP, Registers.RIP, Registers.EFLAGS
  };
}
