// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.qemu.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a processor lacks that another one has. */
final class CpuImageTest {
  private static final long SSE = 1L << 25;
  private static final long HT = 1L << 28;

  private static CpuImage cpu(long edx, String... features) {
    return new CpuImage(
        "x", "GenuineIntel", 1, 1, 36, Map.of("00000001.0.edx", edx), List.of(features));
  }

  @Test
  void threadsAreNoFeatureOfAProcessor() {
    assertThat(cpu(HT, "ht").missingOn(cpu(0), Set.of())).isEmpty();
    assertThat(cpu(HT | SSE, "ht", "sse").missingOn(cpu(0), Set.of())).containsExactly("sse");
    assertThat(cpu(HT | SSE).missingOn(cpu(HT), Set.of())).hasSize(1);
  }
}
