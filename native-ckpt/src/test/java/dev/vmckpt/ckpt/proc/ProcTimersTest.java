// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.proc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ProcTimersTest {
  @Test
  void readsEveryKindAscending() {
    assertThat(ProcTimers.parse(ProcTexts.of("zoo.timers")))
        .containsExactly(
            new ProcTimers.Timer(0, 34, 0xdeadbeefcafeL, 0, false, 7858, 1),
            new ProcTimers.Timer(1, 0, 0, 1, false, 7858, 0),
            new ProcTimers.Timer(2, 36, 0, 0, true, 7858, -2));
    assertThat(ProcTimers.parse(ProcTexts.of("zoo.timers")).get(2).sigevNotify()).isEqualTo(4);
    assertThat(ProcTimers.parse("")).isEmpty();
  }

  @Test
  void refusesHalfATimer() {
    assertThatThrownBy(() -> ProcTimers.parse("ID: 0\nsignal: 34/0\n"))
        .isInstanceOf(ProcFormatException.class);
  }
}
