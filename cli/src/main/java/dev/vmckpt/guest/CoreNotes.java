// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.guest;

import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.CpuidLeaf;
import dev.vmckpt.spi.guest.DescriptorTable;
import dev.vmckpt.spi.guest.GeneralRegisters;
import dev.vmckpt.spi.guest.Segment;
import dev.vmckpt.spi.guest.SegmentRegisters;
import dev.vmckpt.spi.guest.VcpuState;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The notes of a core: each vcpu is a thread, with the number of its id and one, for no thread may
 * have the number 0.
 *
 * <pre>
 * a note:  0 length of the name, its zero included  4 length of the content  8 type
 *         12 name, to a multiple of 4  … content, to a multiple of 4
 *
 * CORE   NT_PRSTATUS    struct elf_prstatus of linux/elfcore.h: 32 pid  112 user_regs_struct  336
 * CORE   NT_FPREGSET    the 512 bytes of FXSAVE
 * LINUX  NT_X86_XSTATE  the standard format of XSAVE; 464 XCR0
 * QEMU   0              what dump-guest-memory writes of a processor, which crash and others read:
 *     0 version 1  4 size  8 rax rbx rcx rdx rsi rdi rsp rbp r8 … r15 rip rflags
 *   152 cs ds es fs gs ss ldt tr gdt idt, each: 0 selector 4 limit 8 flags 16 base 24
 *   392 cr0 … cr4  432 the MSR KERNEL_GS_BASE  440
 * </pre>
 */
final class CoreNotes {
  static final int NT_PRSTATUS = 1;
  static final int NT_FPREGSET = 2;
  static final int NT_X86_XSTATE = 0x202;

  static final int PRSTATUS_BYTES = 336;
  static final int PRSTATUS_PID = 32;
  static final int PRSTATUS_REGISTERS = 112;
  static final int FXSAVE_BYTES = 512;
  static final int XSAVE_XCR0 = 464;
  static final int XSAVE_MINIMUM = 576;

  static final int QEMU_BYTES = 440;
  private static final int QEMU_SEGMENTS = 152;
  private static final int QEMU_SEGMENT_BYTES = 24;
  private static final int QEMU_CONTROL = 392;
  private static final int QEMU_KERNEL_GS = 432;

  private static final long KERNEL_GS_BASE = 0xc0000102L;
  private static final int XSAVE_LEAF = 0xd;

  private CoreNotes() {}

  /** All notes. */
  static byte[] of(List<VcpuState> vcpus) {
    ByteArrayOutputStream notes = new ByteArrayOutputStream();
    for (VcpuState vcpu : vcpus) {
      note(notes, "CORE", NT_PRSTATUS, prstatus(vcpu));
      byte[] xsave = vcpu.xsave();
      if (xsave != null && xsave.length >= XSAVE_MINIMUM) {
        note(notes, "CORE", NT_FPREGSET, java.util.Arrays.copyOf(xsave, FXSAVE_BYTES));
        note(notes, "LINUX", NT_X86_XSTATE, xstate(vcpu, xsave));
      }
    }
    for (VcpuState vcpu : vcpus) {
      note(notes, "QEMU", 0, qemu(vcpu));
    }
    return notes.toByteArray();
  }

  private static void note(ByteArrayOutputStream to, String name, int type, byte[] content) {
    byte[] text = name.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer head = buffer(new byte[12 + padded(text.length + 1)]);
    head.putInt(0, text.length + 1).putInt(4, content.length).putInt(8, type);
    head.put(12, text);
    byte[] bytes = new byte[head.capacity()];
    head.get(0, bytes);
    to.writeBytes(bytes);
    to.writeBytes(content);
    to.writeBytes(new byte[padded(content.length) - content.length]);
  }

  private static int padded(int length) {
    return (length + 3) & ~3;
  }

  private static byte[] prstatus(VcpuState vcpu) {
    byte[] bytes = new byte[PRSTATUS_BYTES];
    ByteBuffer status = buffer(bytes);
    status.putInt(PRSTATUS_PID, vcpu.id() + 1);
    status.putInt(PRSTATUS_BYTES - 8, vcpu.xsave() == null ? 0 : 1);
    GeneralRegisters r = vcpu.registers();
    SegmentRegisters s = vcpu.segments();
    // struct user_regs_struct of arch/x86/include/asm/user_64.h; in no system call: -1.
    put(
        status.position(PRSTATUS_REGISTERS),
        r.r15(),
        r.r14(),
        r.r13(),
        r.r12(),
        r.rbp(),
        r.rbx(),
        r.r11(),
        r.r10(),
        r.r9(),
        r.r8(),
        r.rax(),
        r.rcx(),
        r.rdx(),
        r.rsi(),
        r.rdi(),
        -1,
        r.rip(),
        s.cs().selector(),
        r.rflags(),
        r.rsp(),
        s.ss().selector(),
        s.fs().base(),
        s.gs().base(),
        s.ds().selector(),
        s.es().selector(),
        s.fs().selector(),
        s.gs().selector());
    return bytes;
  }

  /** The state as far as XCR0 enables it, with XCR0 where debuggers look for it. */
  private static byte[] xstate(VcpuState vcpu, byte[] xsave) {
    long xcr0 = vcpu.control().xcr0();
    long length = XSAVE_MINIMUM;
    for (int component = 2; component < Long.SIZE - 1; component++) {
      if ((xcr0 & 1L << component) != 0) {
        length = Math.max(length, endOf(component, vcpu, xsave.length));
      }
    }
    byte[] bytes = java.util.Arrays.copyOf(xsave, (int) Math.min(length, xsave.length));
    buffer(bytes).putLong(XSAVE_XCR0, xcr0);
    return bytes;
  }

  /** Where a component ends: CPUID leaf 0xd says its size in EAX and its offset in EBX. */
  private static long endOf(int component, VcpuState vcpu, int otherwise) {
    for (CpuidLeaf leaf : vcpu.cpuid()) {
      if (leaf.function() == XSAVE_LEAF && leaf.index() == component && leaf.ebx() != 0) {
        return (leaf.eax() & 0xffffffffL) + (leaf.ebx() & 0xffffffffL);
      }
    }
    return otherwise;
  }

  private static byte[] qemu(VcpuState vcpu) {
    byte[] bytes = new byte[QEMU_BYTES];
    ByteBuffer state = buffer(bytes);
    state.putInt(1).putInt(QEMU_BYTES);
    GeneralRegisters r = vcpu.registers();
    put(state, r.rax(), r.rbx(), r.rcx(), r.rdx(), r.rsi(), r.rdi(), r.rsp(), r.rbp());
    put(state, r.r8(), r.r9(), r.r10(), r.r11(), r.r12(), r.r13(), r.r14(), r.r15());
    put(state, r.rip(), r.rflags());
    SegmentRegisters s = vcpu.segments();
    Segment[] segments = {s.cs(), s.ds(), s.es(), s.fs(), s.gs(), s.ss(), s.ldt(), s.tr()};
    int at = QEMU_SEGMENTS;
    for (Segment segment : segments) {
      state.putInt(at, segment.selector()).putInt(at + 4, segment.limit());
      state.putInt(at + 8, segment.descriptorBits()).putLong(at + 16, segment.base());
      at += QEMU_SEGMENT_BYTES;
    }
    for (DescriptorTable table : new DescriptorTable[] {vcpu.gdt(), vcpu.idt()}) {
      state.putInt(at + 4, table.limit()).putLong(at + 16, table.base());
      at += QEMU_SEGMENT_BYTES;
    }
    ControlRegisters c = vcpu.control();
    put(state.position(QEMU_CONTROL), c.cr0(), 0, c.cr2(), c.cr3(), c.cr4());
    state.putLong(QEMU_KERNEL_GS, vcpu.msr(KERNEL_GS_BASE, 0));
    return bytes;
  }

  private static void put(ByteBuffer to, long... values) {
    for (long value : values) {
      to.putLong(value);
    }
  }

  private static ByteBuffer buffer(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
