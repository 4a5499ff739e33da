// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.kvm.api.KvmLayout;
import dev.vmckpt.kvm.state.Calls;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a vcpu says it is, against what a host can show. */
class CpuidTest {
  private static final int AVX2 = 1 << 5;
  private static final int SSE4_2 = 1 << 20;
  private static final int HYPERVISOR = 1 << 31;

  /** Rows of leaf, index, eax, ebx, ecx, edx. */
  private static Cpuid cpuid(int[]... rows) {
    byte[] struct = new byte[KvmLayout.CPUID_HEADER + rows.length * KvmLayout.CPUID_ENTRY];
    ByteBuffer view = Calls.view(struct);
    view.putInt(0, rows.length);
    for (int i = 0; i < rows.length; i++) {
      int at = KvmLayout.CPUID_HEADER + i * KvmLayout.CPUID_ENTRY;
      view.putInt(at, rows[i][0]).putInt(at + 4, rows[i][1]).putInt(at + 8, 1);
      for (int register = 0; register < 4; register++) {
        view.putInt(at + 12 + register * 4, rows[i][2 + register]);
      }
    }
    return new Cpuid(struct);
  }

  @Test
  void whatTheOldHostHadAndThisOneLacksIsMissing() {
    Cpuid shown = cpuid(new int[] {7, 0, 0, AVX2, 0, 0}, new int[] {1, 0, 0, 0, SSE4_2, 0});
    Cpuid then = cpuid(new int[] {7, 0, 0, -1, 0, 0}, new int[] {1, 0, 0, 0, -1, 0});
    Cpuid now = cpuid(new int[] {1, 0, 0, 0, SSE4_2, 0});
    assertThat(names(shown.missing(then, now))).containsExactly("avx2");
    assertThat(shown.missing(then, then)).isEmpty();
  }

  @Test
  void whatTheOldHostDidNotHaveEitherIsNotMissed() {
    Cpuid shown = cpuid(new int[] {7, 0, 0, AVX2, 0, 0});
    Cpuid none = cpuid(new int[] {7, 0, 0, 0, 0, 0});
    assertThat(shown.missing(none, none)).isEmpty();
    assertThat(names(shown.missing(null, none))).containsExactly("avx2");
  }

  @Test
  void whatTellsOfThePlaceIsNoFeature() {
    // HYPERVISOR and OSXSAVE, HTT and APIC.
    Cpuid shown = cpuid(new int[] {1, 0, 0, 0, HYPERVISOR | 1 << 27, 1 << 28 | 1 << 9});
    assertThat(shown.missing(null, cpuid())).isEmpty();
  }

  @Test
  void maskTakesAwayWhatIsMissingAndNothingElse() {
    Cpuid shown =
        cpuid(new int[] {1, 0, 7, 8, HYPERVISOR | SSE4_2, 9}, new int[] {7, 0, 1, AVX2 | 1, 2, 0});
    Cpuid then = cpuid(new int[] {7, 0, 0, -1, -1, -1}, new int[] {1, 0, 0, 0, -1, 0});
    Cpuid now = cpuid(new int[] {7, 0, 0, 1, 2, 0}, new int[] {1, 0, 0, 0, SSE4_2, 0});
    Cpuid masked = shown.masked(then, now);
    assertThat(masked.register(7, 0, 1)).isEqualTo(1);
    assertThat(masked.register(1, 0, 2)).isEqualTo(HYPERVISOR | SSE4_2);
    assertThat(masked.register(1, 0, 1)).isEqualTo(8);
    assertThat(new Cpuid(masked.struct()).register(7, 0, 2)).isEqualTo(2);
  }

  @Test
  void hostsFeaturesComeWithTheOldPlace() {
    Cpuid shown =
        cpuid(
            new int[] {1, 0, 7, 0x05020800, SSE4_2, 1 << 28},
            new int[] {0xb, 0, 1, 2, 3, 5},
            new int[] {0x40000000, 0, 1, 2, 3, 4});
    Cpuid now =
        cpuid(
            new int[] {1, 0, 99, 0x00010800, 1, 2},
            new int[] {0xb, 0, 0, 0, 0, 0},
            new int[] {0x40000000, 0, 9, 9, 9, 9});
    Cpuid there = shown.onHost(now);
    assertThat(there.register(1, 0, 0)).isEqualTo(99);
    assertThat(there.register(1, 0, 1)).as("APIC id and count").isEqualTo(0x05020800);
    assertThat(there.register(1, 0, 2)).isEqualTo(1);
    assertThat(there.register(1, 0, 3)).isEqualTo(2 | 1 << 28);
    assertThat(there.register(0xb, 0, 3)).isEqualTo(5);
    assertThat(there.register(0x40000000, 0, 1)).isEqualTo(2);
  }

  @Test
  void everyNameStandsAtItsBit() {
    assertThat(CpuidNames.of(new Cpuid.Feature(1, 0, 2, 20))).isEqualTo("sse4_2");
    assertThat(CpuidNames.of(new Cpuid.Feature(1, 0, 2, 28))).isEqualTo("avx");
    assertThat(CpuidNames.of(new Cpuid.Feature(1, 0, 3, 26))).isEqualTo("sse2");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 0, 1, 16))).isEqualTo("avx512f");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 0, 1, 31))).isEqualTo("avx512vl");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 0, 2, 22))).isEqualTo("rdpid");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 0, 3, 24))).isEqualTo("amx_tile");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 0, 3, 31))).isEqualTo("ssbd");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 1, 0, 5))).isEqualTo("avx512_bf16");
    assertThat(CpuidNames.of(new Cpuid.Feature(7, 1, 0, 21))).isEqualTo("amx_fp16");
    assertThat(CpuidNames.of(new Cpuid.Feature(0x80000001, 0, 3, 29))).isEqualTo("lm");
    assertThat(CpuidNames.of(new Cpuid.Feature(0x80000001, 0, 3, 31))).isEqualTo("3dnow");
    assertThat(CpuidNames.of(new Cpuid.Feature(0x80000001, 0, 2, 29))).isEqualTo("mwaitx");
    assertThat(CpuidNames.of(new Cpuid.Feature(0xd, 0, 0, 18))).isEqualTo("amx_data");
    assertThat(CpuidNames.of(new Cpuid.Feature(0xd, 1, 0, 4))).isEqualTo("xfd");
    assertThat(CpuidNames.of(new Cpuid.Feature(0x19, 0, 1, 3))).isEqualTo("leaf 0x19 ebx bit 3");
  }

  private static List<String> names(List<Cpuid.Feature> features) {
    return features.stream().map(CpuidNames::of).toList();
  }
}
