// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a guest has switched on is compared with what another processor has. */
final class CpuUseTest {
  private static final long PGE_FXSR = 1L << 7 | 1L << 9;
  private static final long OSXSAVE = 1L << 18;
  private static final long ALL_ONES = 0xffff_ffffL;

  private static CpuImage cpu(long ecx, long extended) {
    return new CpuImage(
        "some",
        "AuthenticAMD",
        13,
        0x8000_000a,
        40,
        Map.of("00000001.0.ecx", ecx, "00000001.0.edx", ALL_ONES, "0000000d.0.eax", extended),
        List.of());
  }

  @Test
  void whatEveryProcessorHasIsNotMissed() {
    assertThat(new CpuUse(PGE_FXSR, 0xe7).missingOn(cpu(0, 0))).isEmpty();
    assertThat(new CpuUse(PGE_FXSR | OSXSAVE, 3).missingOn(cpu(1L << 26, 0))).isEmpty();
    assertThat(new CpuUse(PGE_FXSR | OSXSAVE, 7).missingOn(cpu(1L << 26, 0x207))).isEmpty();
  }

  @Test
  void whatItLacksIsNamed() {
    assertThat(new CpuUse(OSXSAVE, 0xe7).missingOn(cpu(0, 0)))
        .containsExactly("xsave", "extended state e4 (of XCR0)");
    assertThat(new CpuUse(OSXSAVE | 1L << 20, 0xe7).missingOn(cpu(1L << 26, 7)))
        .containsExactly("smep", "extended state e0 (of XCR0)");
  }
}
