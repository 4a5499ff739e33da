// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.spi.guest;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One processor of a guest, between two instructions.
 *
 * @param id its APIC id, 0 or more
 * @param activity whether it runs
 * @param registers its general registers
 * @param segments its segment registers
 * @param gdt the global descriptor table
 * @param idt the interrupt descriptor table
 * @param control its control registers
 * @param debug its debug registers, or null if they were not recorded
 * @param apicBase the MSR 0x1b
 * @param localApic the registers of its local APIC as they lie in its page, 1024 bytes, or null if
 *     the monitor has it
 * @param xsave its vector and floating-point state in the standard (not compacted) format of XSAVE,
 *     the components where CPUID leaf 0xd of the machine it ran on has them; the first 512 bytes
 *     are those of FXSAVE; null if it was not recorded
 * @param msrs its model-specific registers, in the order they were read
 * @param cpuid what CPUID says to it
 * @param events what was about to happen to it, or null if that was not recorded
 * @param tscKhz the frequency of its time stamp counter in kHz, 0 if unknown
 */
public record VcpuState(
    int id,
    Activity activity,
    GeneralRegisters registers,
    SegmentRegisters segments,
    DescriptorTable gdt,
    DescriptorTable idt,
    ControlRegisters control,
    @Nullable DebugRegisters debug,
    long apicBase,
    byte @Nullable [] localApic,
    byte @Nullable [] xsave,
    List<Msr> msrs,
    List<CpuidLeaf> cpuid,
    @Nullable PendingEvents events,
    int tscKhz) {
  private static final long RFLAGS_VM = 1 << 17;

  /** The value of a model-specific register, or {@code otherwise} if it was not recorded. */
  public long msr(long index, long otherwise) {
    for (Msr msr : msrs) {
      if (msr.index() == index) {
        return msr.value();
      }
    }
    return otherwise;
  }

  /** How it reads instructions. */
  public Mode mode() {
    if ((control.cr0() & ControlRegisters.CR0_PE) == 0) {
      return Mode.REAL;
    }
    boolean longMode = (control.efer() & ControlRegisters.EFER_LMA) != 0;
    if (longMode && segments.cs().longMode()) {
      return Mode.LONG;
    }
    if (longMode) {
      return Mode.COMPATIBILITY;
    }
    return (registers.rflags() & RFLAGS_VM) != 0 ? Mode.VIRTUAL_8086 : Mode.PROTECTED;
  }

  /** Its privilege, 0 to 3: the DPL of the stack segment. */
  public int ring() {
    return switch (mode()) {
      case REAL -> 0;
      case VIRTUAL_8086 -> 3;
      default -> segments.ss().dpl();
    };
  }

  /** The modes of a processor (Intel SDM volume 3, 2.2). */
  public enum Mode {
    REAL,
    VIRTUAL_8086,
    PROTECTED,
    /** 32- or 16-bit code under a 64-bit system. */
    COMPATIBILITY,
    LONG
  }
}
