// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ProcLimitsTest {
  @Test
  void readsAllInTheirOrder() {
    assertThat(ProcLimits.parse(ProcTexts.of("zoo.limits")))
        .hasSize(16)
        .startsWith(new ProcLimits.Limit(-1, -1))
        .contains(new ProcLimits.Limit(8388608, -1))
        .element(7)
        .isEqualTo(new ProcLimits.Limit(20000, 20000));
  }

  @Test
  void refusesWhatIsCut() {
    String text = ProcTexts.of("zoo.limits");
    for (int length = 0; length < text.length(); length++) {
      String cut = text.substring(0, length);
      assertThatThrownBy(() -> ProcLimits.parse(cut)).isInstanceOf(ProcFormatException.class);
    }
  }
}
