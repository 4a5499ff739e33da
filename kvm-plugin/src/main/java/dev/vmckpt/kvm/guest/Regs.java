// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.GeneralRegisters;

/**
 * struct kvm_regs.
 *
 * <pre>
 *   0 rax   8 rbx  16 rcx  24 rdx  32 rsi  40 rdi  48 rsp  56 rbp
 *  64 r8   72 r9   80 r10  88 r11  96 r12 104 r13 112 r14 120 r15
 * 128 rip 136 rflags      144
 * </pre>
 */
final class Regs {
  static final int BYTES = KvmLayout.REGS;
  static final int RAX = 0;
  static final int RBX = 8;
  static final int RCX = 16;
  static final int RDX = 24;
  static final int RSI = 32;
  static final int RDI = 40;
  static final int RSP = 48;
  static final int RBP = 56;
  static final int R8 = 64;
  static final int RIP = 128;
  static final int RFLAGS = 136;

  private Regs() {}

  static GeneralRegisters read(Group group) {
    Group g = group.ofLength(BYTES);
    return new GeneralRegisters(
        g.u64(RAX),
        g.u64(RBX),
        g.u64(RCX),
        g.u64(RDX),
        g.u64(RSI),
        g.u64(RDI),
        g.u64(RSP),
        g.u64(RBP),
        g.u64(R8),
        g.u64(R8 + 8),
        g.u64(R8 + 16),
        g.u64(R8 + 24),
        g.u64(R8 + 32),
        g.u64(R8 + 40),
        g.u64(R8 + 48),
        g.u64(R8 + 56),
        g.u64(RIP),
        g.u64(RFLAGS));
  }
}
