// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import dev.vmckpt.qemu.machine.DeviceState.Section;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a guest has switched on in its processor, as the state of that processor shows. It can be
 * more than QEMU says the processor has: where KVM runs guests in ring 3 (PVM), they execute CPUID
 * themselves and see that of the host.
 *
 * @param cr4 control register 4
 * @param xcr0 which extended state its instructions save and change; counts only with CR4.OSXSAVE
 */
record CpuUse(long cr4, long xcr0) {
  /**
   * In the section {@code cpu}, see {@link Accelerators}.
   *
   * <pre>
   *   0  16 × u64 registers, ip, flags   148  x87   236  8 segments and 2 tables, 20 bytes each
   *   456  u64 cr0, cr2, cr3, cr4
   * </pre>
   */
  private static final int CR4 = 480;

  private static final int XCR0 = 1545;

  /** Which processors have a bit of CR4: the word of CPUID, and the bit in it. Intel SDM 3, 2.5. */
  private record Feature(int cr4Bit, String name, String word, int bit) {}

  private static final String EXTENDED = "0000000d.0.eax";
  private static final Feature XSAVE = new Feature(18, "xsave", "00000001.0.ecx", 26);
  private static final List<Feature> FEATURES =
      List.of(
          new Feature(7, "pge", "00000001.0.edx", 13),
          new Feature(9, "fxsr", "00000001.0.edx", 24),
          new Feature(11, "umip", "00000007.0.ecx", 2),
          new Feature(12, "la57", "00000007.0.ecx", 16),
          new Feature(16, "fsgsbase", "00000007.0.ebx", 0),
          new Feature(17, "pcid", "00000001.0.ecx", 17),
          XSAVE,
          new Feature(20, "smep", "00000007.0.ebx", 7),
          new Feature(21, "smap", "00000007.0.ebx", 20),
          new Feature(22, "pku", "00000007.0.ecx", 3),
          new Feature(24, "pks", "00000007.0.ecx", 31));

  /** Of the first processor of a state; null if its layout is not known. */
  static @Nullable CpuUse of(DeviceState state) {
    for (Section section : state.sections()) {
      if (Accelerators.isCpu(section)) {
        return new CpuUse(section.data().getLong(CR4), section.data().getLong(XCR0));
      }
    }
    return null;
  }

  /**
   * What of it another processor does not have.
   *
   * @return one text for each; empty if it has all of it
   */
  List<String> missingOn(CpuImage other) {
    Map<String, Long> words = other.words();
    List<String> missing = new ArrayList<>();
    for (Feature feature : FEATURES) {
      boolean has = (words.getOrDefault(feature.word(), 0L) >>> feature.bit() & 1) == 1;
      if (isOn(feature) && !has) {
        missing.add(feature.name());
      }
    }
    // The two lowest, x87 and SSE, are there wherever XSAVE is.
    long lacks = xcr0 & ~(words.getOrDefault(EXTENDED, 0L) | 3);
    if (isOn(XSAVE) && lacks != 0) {
      missing.add(String.format(Locale.ROOT, "extended state %x (of XCR0)", lacks));
    }
    return missing;
  }

  private boolean isOn(Feature feature) {
    return (cr4 >>> feature.cr4Bit() & 1) == 1;
  }
}
