// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm.guest;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.spi.guest.ControlRegisters;
import dev.vmckpt.spi.guest.DescriptorTable;
import dev.vmckpt.spi.guest.Segment;
import dev.vmckpt.spi.guest.SegmentRegisters;
import java.util.List;

/**
 * struct kvm_sregs and struct kvm_sregs2, which differ in their ends.
 *
 * <pre>
 *   0 cs   24 ds   48 es   72 fs   96 gs  120 ss  144 tr  168 ldt
 * 192 gdt 208 idt 224 cr0 232 cr2 240 cr3 248 cr4 256 cr8 264 efer 272 apic_base
 * 280 interrupt_bitmap[4] 312            kvm_sregs
 * 280 flags  288 pdptrs[4] 320           kvm_sregs2
 *
 * a segment: 0 base  8 limit  12 selector  14 type 15 present 16 dpl 17 db 18 s 19 l 20 g 21 avl
 *           22 unusable  24
 * a table:   0 base  8 limit  16
 * </pre>
 */
final class Sregs {
  static final int BYTES = KvmLayout.SREGS;
  static final int BYTES_2 = KvmLayout.SREGS2;
  static final int CS = 0;
  static final int DS = 24;
  static final int ES = 48;
  static final int FS = 72;
  static final int GS = 96;
  static final int SS = 120;
  static final int TR = 144;
  static final int LDT = 168;
  static final int GDT = 192;
  static final int IDT = 208;
  static final int CR0 = 224;
  static final int CR2 = 232;
  static final int CR3 = 240;
  static final int CR4 = 248;
  static final int CR8 = 256;
  static final int EFER = 264;
  static final int APIC_BASE = 272;
  static final int FLAGS_2 = 280;
  static final int PDPTRS_2 = 288;

  static final int SEGMENT_BYTES = 24;
  static final int LIMIT = 8;
  static final int SELECTOR = 12;
  static final int TYPE = 14;
  static final int PRESENT = 15;
  static final int DPL = 16;
  static final int DB = 17;
  static final int S = 18;
  static final int L = 19;
  static final int G = 20;
  static final int AVL = 21;
  static final int UNUSABLE = 22;

  private static final int PDPTRS_VALID = 1;

  private final Group group;
  private final boolean second;

  /**
   * @param second whether it is a kvm_sregs2
   */
  Sregs(Group group, boolean second) {
    this.group = group.ofLength(second ? BYTES_2 : BYTES);
    this.second = second;
  }

  SegmentRegisters segments() {
    return new SegmentRegisters(
        segment(CS),
        segment(DS),
        segment(ES),
        segment(FS),
        segment(GS),
        segment(SS),
        segment(TR),
        segment(LDT));
  }

  DescriptorTable gdt() {
    return table(GDT);
  }

  DescriptorTable idt() {
    return table(IDT);
  }

  long apicBase() {
    return group.u64(APIC_BASE);
  }

  ControlRegisters control(long xcr0) {
    List<Long> pdptrs =
        second && (group.u64(FLAGS_2) & PDPTRS_VALID) != 0
            ? List.of(
                group.u64(PDPTRS_2),
                group.u64(PDPTRS_2 + 8),
                group.u64(PDPTRS_2 + 16),
                group.u64(PDPTRS_2 + 24))
            : List.of();
    return new ControlRegisters(
        group.u64(CR0),
        group.u64(CR2),
        group.u64(CR3),
        group.u64(CR4),
        group.u64(CR8),
        group.u64(EFER),
        xcr0,
        pdptrs);
  }

  private Segment segment(int at) {
    return new Segment(
        group.u16(at + SELECTOR),
        group.u64(at),
        group.s32(at + LIMIT),
        group.u8(at + TYPE),
        group.flag(at + S),
        group.u8(at + DPL),
        group.flag(at + PRESENT),
        group.flag(at + AVL),
        group.flag(at + L),
        group.flag(at + DB),
        group.flag(at + G),
        group.flag(at + UNUSABLE));
  }

  private DescriptorTable table(int at) {
    return new DescriptorTable(group.u64(at), group.u16(at + LIMIT));
  }
}
